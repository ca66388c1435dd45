"""The kernel that all emulated boards boot, and the initramfs with the drivers they need.

It is Debian's own arm64 kernel. What it lacks, the driver of the INA3221 and an I²C bus whose chips exist in
memory only, is built for it from the same source.
"""

from __future__ import annotations

import platform
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from device_tests.emulator import archive, cache
from device_tests.emulator.archive import Archive
from device_tests.emulator.needs import run
from edgegreen.errors import DeviceError

SUITE, SERIES = "bookworm", "6.1"  # for boards of every release: what runs on it cannot tell
COMPILER = "aarch64-linux-gnu-"
BASE_MODULES = ("crc32c_generic", "virtio_pci", "virtio_mmio", "virtio_blk", "ext4", "virtio_net")
MORE_MODULES = ("i2c-dev",)
BUILT_MODULES = {"ina3221": "drivers/hwmon/ina3221.c", "i2c-stub": "drivers/i2c/i2c-stub.c"}
CHANGES = {
    # The stub's bus gets a node of the device tree, so that chips can be described there as on a board.
    "i2c-stub": (
        ("#include <linux/module.h>\n", "#include <linux/module.h>\n#include <linux/of.h>\n"),
        (
            "\tret = i2c_add_adapter(&stub_adapter);\n",
            '\tstub_adapter.dev.of_node = of_find_node_by_path("/i2c-stub");\n'
            "\tret = i2c_add_adapter(&stub_adapter);\n",
        ),
    ),
    # Linux 6.1 leaves the number of samples out of update_interval and says 1 ms; a Jetson's says 430 ms.
    "ina3221": (
        (
            "\treturn channels * (vbus_ct + vsh_ct);\n",
            "\treturn channels * (vbus_ct + vsh_ct) * ina3221_avg_samples[INA3221_CONFIG_AVG(config)];\n",
        ),
    ),
}
INIT = Path(__file__).parent / "guest" / "init"


@dataclass(frozen=True)
class Kernel:
    """A kernel's image, and the initramfs that goes with it."""

    image: Path
    initramfs: Path


def made(tell: cache.Tell) -> Kernel:
    """The kernel, built unless the cache has it."""
    inputs = cache.source(Path(__file__), Path(archive.__file__), INIT)
    folder = cache.made("kernel", inputs, _make, tell)
    return Kernel(folder / "vmlinuz", folder / "initramfs.gz")


def _make(folder: Path) -> None:
    """Fill `folder` with vmlinuz, initramfs.gz and versions.txt."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        work = Path(name)
        packages, release = _download(work)
        tree = work / "tree"
        for package in packages:
            if not package.startswith("linux-source"):
                run(["dpkg-deb", "--extract", packages[package], tree])
        _build_modules(tree / "usr/src", release, _drivers(packages[f"linux-source-{SERIES}"], work))
        _pack(tree, release, work, folder / "initramfs.gz")
        shutil.copyfile(tree / f"boot/vmlinuz-{release}", folder / "vmlinuz")
        (folder / "versions.txt").write_text("".join(f"{path.name}\n" for path in packages.values()))


def _download(work: Path) -> tuple[dict[str, Path], str]:
    """The packages' files by name, and the kernel's release, such as 6.1.0-56-arm64."""
    host = run(["dpkg", "--print-architecture"]).strip()
    apt = Archive(work / "apt", SUITE, tuple(dict.fromkeys((host, "arm64"))))
    (image,) = (name for name in apt.depends("linux-image-arm64:arm64") if name.startswith("linux-image-"))
    release = image.removeprefix("linux-image-").partition(":")[0]
    common = release.removesuffix("-arm64") + "-common"
    names = [
        f"linux-image-{release}:arm64",
        f"linux-headers-{release}:arm64",
        f"linux-headers-{common}",
        f"linux-kbuild-{SERIES}:{host}",  # programs that run here
        f"linux-source-{SERIES}",
        "busybox-static:arm64",
    ]
    return apt.download(names, work / "packages"), release


def _drivers(source: Path, work: Path) -> Path:
    """A folder with the sources of the modules to build, and their Makefile."""
    folder, tree = work / "drivers", work / "source"
    folder.mkdir()
    run(["dpkg-deb", "--extract", source, tree])
    (tarball,) = (tree / "usr/src").glob("linux-source-*.tar.xz")
    members = [f"{tarball.name.removesuffix('.tar.xz')}/{path}" for path in BUILT_MODULES.values()]
    run(["tar", "--extract", f"--file={tarball}", f"--directory={tree}", *members])
    for name, member in zip(BUILT_MODULES, members, strict=True):
        (folder / f"{name}.c").write_text(patched(name, (tree / member).read_text()))
    (folder / "Makefile").write_text(f"obj-m := {' '.join(f'{name}.o' for name in BUILT_MODULES)}\n")
    return folder


def patched(name: str, source: str) -> str:
    """A driver's source with its CHANGES. Raises DeviceError when it is not the file they were made for."""
    for old, new in CHANGES[name]:
        if source.count(old) != 1:
            raise DeviceError(f"{name}.c of Linux {SERIES} has changed: there is no one line {old.strip()!r}")
        source = source.replace(old, new)
    return source


def _build_modules(sources: Path, release: str, drivers: Path) -> None:
    """Build the modules in `drivers`, and put them where the kernel's own are."""
    headers = sources / f"linux-headers-{release}"
    makefile = headers / "Makefile"
    makefile.write_text(makefile.read_text().replace("/usr/src/", f"{sources}/"))
    compiler = [
        f"CROSS_COMPILE={COMPILER}",
        f"CC={COMPILER}gcc",
    ]  # Debian's names the version it was built with
    if platform.machine() == "aarch64":
        compiler = ["CC=gcc"]
    run(["make", "--silent", f"--directory={headers}", f"M={drivers}", "ARCH=arm64", *compiler, "modules"])
    place = sources.parent.parent / f"lib/modules/{release}/built"
    place.mkdir()
    for name in BUILT_MODULES:
        shutil.copy(drivers / f"{name}.ko", place)


def _pack(tree: Path, release: str, work: Path, initramfs: Path) -> None:
    """Write the initramfs: busybox, init, modules, and the order to load those in that every board needs."""
    root = work / "initramfs"
    (root / "bin").mkdir(parents=True)
    (root / "modules").mkdir()
    shutil.copy(tree / "bin/busybox", root / "bin")
    shutil.copy(INIT, root)
    (root / "init").chmod(0o755)
    run(["depmod", f"--basedir={tree}", release])
    order = [path for name in BASE_MODULES for path in _with_dependencies(tree, release, name)]
    more = [
        path for name in (*MORE_MODULES, *BUILT_MODULES) for path in _with_dependencies(tree, release, name)
    ]
    for path in {*order, *more}:
        shutil.copy(path, root / "modules")
        run([f"{COMPILER}strip", "--strip-debug", root / "modules" / path.name])
    (root / "modules/order").write_text("".join(f"{path.name}\n" for path in dict.fromkeys(order)))
    pack(root, initramfs)


def _with_dependencies(tree: Path, release: str, module: str) -> list[Path]:
    """The files to load for a module, in order; none where it is built into the kernel."""
    shown = run(["modprobe", f"--dirname={tree}", f"--set-version={release}", "--show-depends", module])
    return [Path(path) for path in re.findall(r"^insmod (\S+)", shown, re.MULTILINE)]


def pack(root: Path, initramfs: Path) -> None:
    """Write the files below `root` as an initramfs, all of them root's."""
    copy = "cpio --null --create --format=newc --owner=0:0 --quiet"
    run(["sh", "-euc", f'find . -print0 | sort -z | {copy} | gzip -9n > "$1"', "sh", initramfs], cwd=root)
