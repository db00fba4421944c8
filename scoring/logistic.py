"""Penalised logistic regression by Newton's method: small, exact, and the same bytes on every run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from scoring.columns import Floats

MAX_STEPS = 60
TOLERANCE = 1e-9


def sigmoid(log_odds: Floats) -> Floats:
    """Probabilities of log-odds; safe for large ones."""
    return np.exp(-np.logaddexp(0.0, -log_odds))


def fit_logistic(matrix: Floats, labels: Floats, weights: Floats, penalty: Floats) -> tuple[Floats, float]:
    """Coefficients and intercept that minimise weighted log-loss + ½ c'Pc; the intercept is free.

    Args:
        matrix: rows × columns.
        labels: 0 or 1 (or a share between).
        weights: of each row, ≥ 0.
        penalty: P, columns × columns, positive definite: so there is one minimum, and Newton with halved steps finds it.
    """
    design = np.column_stack([matrix, np.ones(len(matrix))])
    full = np.zeros((design.shape[1], design.shape[1]))
    full[:-1, :-1] = penalty
    share = float(np.clip((weights @ labels) / max(weights.sum(), 1e-12), 1e-6, 1 - 1e-6))
    position = np.zeros(design.shape[1])
    position[-1] = np.log(share / (1 - share))
    loss = _loss(design, labels, weights, full, position)
    for _ in range(MAX_STEPS):
        chance = sigmoid(design @ position)
        gradient = design.T @ (weights * (chance - labels)) + full @ position
        curvature = weights * np.maximum(chance * (1 - chance), 1e-9)
        hessian = (design * curvature[:, None]).T @ design + full
        hessian[-1, -1] += 1e-9
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-6:
            moved = _loss(design, labels, weights, full, position - size * step)
            if moved <= loss:
                break
            size /= 2
        else:
            break
        position, gained, loss = position - size * step, loss - moved, moved
        if gained < TOLERANCE * max(1.0, abs(loss)):
            break
    return position[:-1], float(position[-1])


def shift_to_rate(log_odds: Floats, labels: Floats) -> float:
    """The shift that makes the mean probability the share of positives, by bisection."""
    target = float(np.clip(labels.mean(), 1e-6, 1 - 1e-6))
    low, high = -40.0, 40.0
    for _ in range(90):
        middle = (low + high) / 2
        low, high = (middle, high) if float(sigmoid(log_odds + middle).mean()) < target else (low, middle)
    return (low + high) / 2


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra on one thread while the block runs: with more, the order of sums and so the last digits depend on their number."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def _loss(design: Floats, labels: Floats, weights: Floats, penalty: Floats, position: Floats) -> float:
    log_odds = design @ position
    return float(weights @ (np.logaddexp(0.0, log_odds) - labels * log_odds) + 0.5 * position @ penalty @ position)
