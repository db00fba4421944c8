"""The publish gate: may this model be used? Rules that stand here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

READY, OK, NOT_READY = "ready", "ok", "not_ready"

READY_AUC_LOW = 0.65
OK_AUC_LOW = 0.55
READY_OUTCOMES = 40  # of either kind, out of sample
OK_OUTCOMES = 20
MAX_CALIBRATION_ERROR = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """``ready``, ``ok`` or ``not_ready``, and why in words."""

    verdict: str
    reasons: tuple[str, ...]


def judge(
    n_positive: int, n_negative: int, auc_low: float, calibration_error: float, noise: float, is_in_time: bool, leaks: tuple[str, ...]
) -> Verdict:
    """The verdict on out-of-sample predictions.

    ready: at least 40 outcomes of either kind, lower end of the AUC's interval ≥ 0.65, calibration error ≤ 0.05, tested in time.
    ok: at least 20, ≥ 0.55, ≤ 0.05. not_ready: anything else, and whenever a column is suspected to have been written after the outcome.

    Args:
        noise: calibration error that right probabilities would show on so few rows; that much is forgiven.
        is_in_time: whether the model was tested on later rows than it learned from; if not, the best verdict is ok.
        leaks: suspected columns.

    >>> judge(500, 4000, 0.7, 0.02, 0.01, True, ()).verdict
    'ready'
    >>> judge(500, 4000, 0.49, 0.02, 0.01, True, ()).reasons
    ('the auc may be as low as 0.490: below 0.55 nothing was learned for sure',)
    """
    smaller = min(n_positive, n_negative)
    excess = calibration_error - noise
    against = []
    if leaks:
        against.append(f"suspected to be written after the outcome: {', '.join(leaks)}; drop them or show that they are known before")
    if smaller < OK_OUTCOMES:
        against.append(f"only {smaller} outcomes of the rarer kind to test on: {OK_OUTCOMES} are needed")
    elif not auc_low >= OK_AUC_LOW:
        against.append(f"the auc may be as low as {auc_low:.3f}: below {OK_AUC_LOW} nothing was learned for sure")
    if excess > MAX_CALIBRATION_ERROR:
        against.append(f"probabilities are off by {calibration_error:.3f} on average: more than {MAX_CALIBRATION_ERROR}")
    if against:
        return Verdict(NOT_READY, tuple(against))
    short = []
    if smaller < READY_OUTCOMES:
        short.append(f"{smaller} outcomes of the rarer kind to test on: {READY_OUTCOMES} make it ready")
    if auc_low < READY_AUC_LOW:
        short.append(f"the auc may be as low as {auc_low:.3f}: from {READY_AUC_LOW} on it is ready")
    if not is_in_time:
        short.append("not tested in time: rows of one time were predicted from rows of the same time")
    return Verdict(OK, tuple(short)) if short else Verdict(READY, ())
