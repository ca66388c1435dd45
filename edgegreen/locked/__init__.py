"""What a recipe's lock holds fixed, and what of it differs now.

`lock` is the file, `host` what is fixed on this machine, `board` what is fixed on a target, `differing` the
two side by side. `writing` makes a lock; `session` and
`measuring` keep to it.
"""
