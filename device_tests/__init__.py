"""Tests on boards, real or emulated: the same commands that users run. Not part of the package."""
