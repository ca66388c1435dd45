# What a board says of itself. Reads; changes nothing. For dash, bash and busybox ash; needs no Python.
#
# $1 the folder that stands for / where /sys and /proc are read   $2 the Python asked for   $3 edgegreen's folder
#
# Every section starts with a line `@@ name` and costs itself only when it fails. `path=text` is a file's
# first line, `path!` a file that is there and may not be read, `path+` one that may (it is not read, because
# sensors take their time). What it all means is told where it is parsed, on the host.

LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/sbin:/sbin:/opt/vc/bin
root=${1%/} asked=$2 folder=$3
sys=$root/sys
if [ -d "$1" ]; then root_there=yes; else root_there=no; fi
if ! [ -d "$sys" ] && { [ -d "$root/class" ] || [ -d "$root/bus" ]; }; then sys=$root root=; fi

limit() { timeout 10 "$@"; }  # a cold Python on an SD card takes a few seconds
timeout 10 cat </dev/null 2>/dev/null || limit() { "$@"; }
cut_off() { head -c 16384; }
[ "$(echo ok | head -c 2)" = ok ] 2>/dev/null || cut_off() { cat; }

has() { command -v "$1" >/dev/null; }

section() {
  printf '\n@@ %s\n' "$1"
  "$1" 2>/dev/null </dev/null | cut_off
}

# Files: their first lines, or only whether they may be read.
lines() {
  for file; do
    [ -e "$file" ] || continue
    if [ -r "$file" ]; then
      text=
      IFS= read -r text <"$file"
      printf '%s=%s\n' "${file#"$sys"/}" "$text"
    else
      printf '%s!\n' "${file#"$sys"/}"
    fi
  done
}
there() {
  for file; do
    [ -e "$file" ] || continue
    if [ -r "$file" ]; then printf '%s+\n' "${file#"$sys"/}"; else printf '%s!\n' "${file#"$sys"/}"; fi
  done
}
first_of() {
  for file; do
    [ -r "$file" ] && cat "$file" && return
  done
}

clock() { date +%s; }

system() {
  for flag in s n r v m; do printf 'uname_%s=%s\n' $flag "$(uname -$flag)"; done
  printf 'bits=%s\n' "$(getconf LONG_BIT)"
  printf 'packages=%s\n' "$(dpkg --print-architecture)"
  printf 'user=%s\nuid=%s\ngroups=%s\nhome=%s\n' "$(id -un)" "$(id -u)" "$(id -Gn)" "$HOME"
  printf 'root_there=%s\n' "$root_there"
  printf 'uptime=%s\n' "$(cat "$root/proc/uptime" || cat /proc/uptime)"
  printf 'load=%s\n' "$(cat "$root/proc/loadavg" || cat /proc/loadavg)"
}

board() {
  for name in model compatible; do
    text=$(first_of "$root/proc/device-tree/$name" "$sys/firmware/devicetree/base/$name" | tr '\000\n' '  ')
    printf '%s=%s\n' $name "$text"
  done
  for name in sys_vendor product_name product_version board_vendor board_name; do
    lines "$sys/class/dmi/id/$name"
  done
}

release() { first_of "$root/etc/os-release" /etc/os-release /usr/lib/os-release; }
tegra() { first_of "$root/etc/nv_tegra_release" | head -n 1; }

libc() {
  printf 'getconf=%s\n' "$(getconf GNU_LIBC_VERSION)"
  printf 'ldd=%s\n' "$(limit ldd --version 2>&1 | head -n 2 | tr '\n' ' ')"
  for file in /lib/ld-musl-* /lib/ld-linux* /lib64/ld-linux* /lib/ld-uClibc*; do
    [ -e "$file" ] && printf 'loader=%s\n' "$file"
  done
}

machine() {
  there "$sys/firmware/qemu_fw_cfg" "$root/proc/device-tree/hypervisor" /.dockerenv /run/.containerenv
  lines "$sys/hypervisor/type"
  printf 'detected=%s\n' "$(limit systemd-detect-virt)"
}

cpu() {
  printf 'online=%s\n' "$(getconf _NPROCESSORS_ONLN || nproc)"
  grep -E '^(processor|model name|CPU part|CPU implementer|Hardware|Model)[[:space:]]*:' \
    "$root/proc/cpuinfo" | sort | uniq -c | sort -rn | head -n 40
  grep -c '^flags.* hypervisor' "$root/proc/cpuinfo" | sed 's/^/hypervisor_flags=/'
}

clocks() {
  for policy in "$sys"/devices/system/cpu/cpufreq/policy*; do
    for name in scaling_governor cpuinfo_max_freq scaling_max_freq scaling_min_freq scaling_cur_freq; do
      lines "$policy/$name"
    done
  done
}

memory() { grep -E '^(MemTotal|MemAvailable|SwapTotal|SwapFree):' "$root/proc/meminfo"; }

# The nearest folder that is there: whether it may be written, how much is free, how it is mounted.
disk() {
  for place in "$folder" "$HOME"; do
    near=$place
    while [ -n "$near" ] && ! [ -d "$near" ]; do
      case $near in */*) near=${near%/*} ;; *) near=. ;; esac
    done
    near=${near:-/}
    printf 'place=%s\nnear=%s\n' "$place" "$near"
    if [ -w "$near" ]; then echo writable=1; else echo writable=0; fi
    free=$(limit df -Pk "$near" | sed -n '$p')
    printf 'df=%s\n' "$free"
    mount=$(printf '%s\n' "$free" | sed 's/.*% *//')
    while read -r device on type options rest; do
      [ "$on" = "$mount" ] && found="$type $options"
    done </proc/mounts
    printf 'mount=%s\n' "$found"
    found=
  done
}

heat() {
  for zone in "$sys"/class/thermal/thermal_zone*; do
    lines "$zone/type" "$zone/temp"
    for trip in "$zone"/trip_point_*_type; do
      lines "$trip" "${trip%type}temp"
    done
  done
  for apex in "$sys"/class/apex/apex_*; do
    lines "$apex/temp" "$apex"/trip_point*_temp
  done
  for device in "$sys"/class/thermal/cooling_device*; do
    case $(cat "$device/type") in *-throttle-alert) lines "$device/type" "$device/cur_state" ;; esac
  done
}

throttled() {
  has vcgencmd && printf 'vcgencmd=%s\n' "$(limit vcgencmd get_throttled 2>&1 | head -n 1)"
  lines "$sys/devices/platform/soc/soc:firmware/get_throttled"
  for chip in "$sys"/class/hwmon/hwmon*; do
    lines "$chip/in0_lcrit_alarm"
  done
}

power_mode() { has nvpmodel && limit nvpmodel -q 2>&1; }

monitors() {
  for chip in "$sys"/class/hwmon/hwmon* "$sys"/bus/i2c/drivers/ina3221/*/hwmon/hwmon*; do
    lines "$chip/name" "$chip/label" "$chip"/in[123]_label
    there "$chip"/power[1-9]_input "$chip"/in[123]_input "$chip"/curr[123]_input
  done
  for chip in "$sys"/bus/i2c/drivers/ina3221x/*/iio:device*; do
    lines "$chip"/rail_name_[012]
    there "$chip"/in_power[012]_input
  done
}

counters() {
  for zone in "$sys"/class/powercap/intel-rapl:*; do
    case ${zone##*/intel-rapl:} in *:*) continue ;; esac
    lines "$zone/name"
    there "$zone/energy_uj"
  done
}

supplies() {
  for supply in "$sys"/class/power_supply/*; do
    lines "$supply/type" "$supply/scope" "$supply/status" "$supply/online"
    there "$supply/power_now" "$supply/voltage_now" "$supply/current_now"
  done
}

firmware() {
  there "$root/dev/vcio"
  has vcgencmd && limit vcgencmd pmic_read_adc 2>&1
}

accelerators() {
  for device in "$sys"/bus/usb/devices/*; do
    vendor=
    [ -r "$device/idVendor" ] && read -r vendor <"$device/idVendor" && read -r product <"$device/idProduct"
    case $vendor:$product in 1a6e:089a | 18d1:9302) printf 'usb=%s:%s\n' "$vendor" "$product" ;; esac
  done
  there "$sys"/class/apex/apex_* "$root"/dev/apex_* "$root"/dev/nvhost-gpu "$root"/dev/nvgpu/igpu0 \
    "$root"/dev/nvidia[0-9] "$root"/dev/dri/renderD* "$root"/dev/accel/accel[0-9] "$root"/dev/hailo[0-9] \
    "$root"/dev/galcore "$root"/dev/rknpu "$root"/dev/ethosu[0-9]
  lines "$sys"/class/drm/renderD*/device/vendor "$sys"/class/accel/accel*/device/vendor
}

libraries() {
  ldconfig -p | sed -n 's/.*=> \(.*libedgetpu\.so.*\)/edgetpu=\1/p' | head -n 4
  for file in /usr/lib/libedgetpu.so* /usr/lib/*/libedgetpu.so* /usr/local/lib/libedgetpu.so* \
    "${folder:-.}"/lib/libedgetpu.so*; do
    [ -e "$file" ] && printf 'edgetpu=%s\n' "$file"
  done
  ldconfig -p | sed -n 's/.*=> \(.*libze_intel_[nv]pu\.so.*\)/intel_npu=\1/p' | head -n 1
  for file in "$root"/etc/OpenCL/vendors/intel*.icd; do
    [ -e "$file" ] && printf 'intel_gpu=%s\n' "$file"
  done
  for file in "$root/usr/src/tensorrt/bin/trtexec" "$(command -v trtexec)"; do
    [ -x "$file" ] && printf 'trtexec=%s\n' "$file" && break
  done
  limit dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' 'libedgetpu*' 'libnvinfer[0-9]*' \
    nvidia-jetpack | sed -n 's/^ii *\([^ ]*\) \(.*\)/package=\1 \2/p' | head -n 40
}

# Each Python once, and what it could import: looked for as folders, because importing a runtime takes long.
look_inside='
import os, sys
def say(key, value): print("%s=%s" % (key, value))
say("version", "%d.%d.%d" % tuple(sys.version_info[:3]))
say("executable", sys.executable)
say("prefix", sys.prefix)
say("bits", 64 if sys.maxsize > 2 ** 32 else 32)
try: say("libc", os.confstr("CS_GNU_LIBC_VERSION"))
except Exception: pass
try:
    import sysconfig
    say("abi", sysconfig.get_config_var("SOABI"))
except Exception: pass
try:
    from importlib.util import find_spec
    for name in ("ctypes", "json", "subprocess", "threading", "zipimport", "zlib"):
        if find_spec(name) is None: say("lacks", name)
except Exception: pass
wanted = "numpy ai_edge_litert tflite_runtime openvino tensorflow onnxruntime tensorrt pycoral".split()
for folder in sys.path:
    try: names = os.listdir(folder) if folder else []
    except OSError: continue
    infos = [n.rsplit(".", 1)[0].split("-") for n in names if n.endswith((".dist-info", ".egg-info"))]
    for want in [w for w in wanted if w in names]:
        alike = [i for i in infos if len(i) > 1 and i[0].lower().replace(".", "_").startswith(want)]
        alike.sort(key=lambda i: len(i[0]))
        say("package", want + " " + (alike[0][1] if alike else ""))
        wanted.remove(want)
'
one_python() {
  path=$(command -v "$1") || return 0
  case $path in /*) ;; *) return 0 ;; esac
  real=$(readlink -f "$path" || echo "$path")
  [ -f "${path%/*}/../pyvenv.cfg" ] && real=${path%/*}
  case $seen in *"
$real
"*) return 0 ;; esac
  seen="$seen
$real
"
  [ "$count" -lt 12 ] || return 0
  inside=$(limit "$path" -c "$look_inside")
  # A pyenv shim of a version not chosen answers nothing; of the one asked for that is worth knowing.
  [ -n "$inside" ] || [ "$1" = "$asked" ] || return 0
  count=$((count + 1))
  printf 'python=%s\n%s\n' "$path" "$inside"
}
pythons() {
  seen= count=0
  printf 'asked=%s\n' "$asked"
  one_python "$asked"
  echo others=
  one_python python3
  for minor in 14 13 12 11 10 9 8 7 6; do one_python python3.$minor; done
  for path in "$HOME"/edgegreen-venv/bin/python "$HOME"/.venv/bin/python "$HOME"/venv/bin/python \
    /usr/bin/python3 /usr/local/bin/python3 "$HOME"/mini*3/bin/python3 "$HOME"/.pyenv/versions/*/bin/python3 \
    /opt/*/bin/python3; do
    [ -x "$path" ] && one_python "$path"
  done
}

for name in clock system board release tegra libc machine cpu clocks memory disk heat throttled power_mode \
  monitors counters supplies firmware accelerators libraries pythons; do
  section $name
done
printf '\n@@ end\n'
