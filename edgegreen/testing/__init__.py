"""For tests of your own: deploy to real boards from pytest, and fail where a budget is missed.

    from edgegreen.testing import eg_check

    def test_int8_is_fast_enough(eg_deploy):
        eg_check(eg_deploy("recipe.yaml").row("int8-tflite"), latency_p95_ms_max=10)

`plugin` is what pytest loads, in every run of everybody who has edgegreen installed: light, and inert
without options. `deployments` runs what `edgegreen deploy` runs, once for each recipe and target; `checks`
says in words what is missed.
"""

from edgegreen.testing.checks import eg_check
from edgegreen.testing.outcome import Outcome

__all__ = ["Outcome", "eg_check"]
