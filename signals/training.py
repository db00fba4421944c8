"""Fine-tunes the event classifier on ``signals/examples/*.jsonl``: ``python -m signals.training`` (``make train``).

Examples are of our own writing; no labelled real text takes part, so that those stay a test.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signals.classifier import MAX_TOKENS, classifier_text
from signals.encoder import installed_minilm, load_sentence_transformer
from signals.taxonomy import text_types

EXAMPLES_FOLDER = Path(__file__).with_name("examples")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a training run depends on besides the examples; the seed makes it repeatable on one machine."""

    n_epochs: int = 5
    batch_size: int = 16
    learning_rate: float = 5e-5
    head_learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup_share: float = 0.1
    label_smoothing: float = 0.0
    positive_weight: float = 2.0
    seed: int = 20261101


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled text."""

    example_id: str
    text: str
    labels: frozenset[str]


def load_examples(folder: Path = EXAMPLES_FOLDER) -> list[Example]:
    """All examples in the order of file names and lines."""
    examples = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            examples.append(Example(row["id"], classifier_text(row["title"], row["text"]), frozenset(row["labels"])))
    return examples


def train(examples: list[Example], settings: Settings, report: Any = print) -> tuple[Any, Any, Any]:
    """A fine-tuned encoder with its head and tokenizer: ``(tokenizer, encoder, head)``, in evaluation mode."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    torch.manual_seed(settings.seed)
    order = random.Random(settings.seed)
    base = load_sentence_transformer(installed_minilm())
    tokenizer = base.tokenizer
    encoder: Any = base[0].auto_model
    types = text_types()
    head = torch.nn.Linear(encoder.config.hidden_size, len(types))
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.constant_(head.bias, -3.0)  # most texts report no event of a given type
    optimizer = torch.optim.AdamW(
        [
            {"params": encoder.parameters(), "lr": settings.learning_rate},
            {"params": head.parameters(), "lr": settings.head_learning_rate},
        ],
        weight_decay=settings.weight_decay,
    )
    n_steps = math.ceil(len(examples) / settings.batch_size) * settings.n_epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _warmup_then_linear(step, n_steps, settings.warmup_share))
    positive_weight = torch.full((len(types),), settings.positive_weight)
    encoder.train()
    for epoch in range(settings.n_epochs):
        total = 0.0
        for batch in _batches(examples, settings.batch_size, order):
            logits = pooled_logits(tokenizer, encoder, head, [example.text for example in batch])
            targets = torch.tensor([[float(name in example.labels) for name in types] for example in batch])
            loss: Any = binary_cross_entropy_with_logits(logits, targets, pos_weight=positive_weight, reduction="sum") / len(batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            total += float(loss) * len(batch)
        report(f"epoch {epoch + 1}/{settings.n_epochs}: mean loss {total / len(examples):.3f}")
    encoder.eval()
    return tokenizer, encoder, head


def pooled_logits(tokenizer: Any, encoder: Any, head: Any, texts: list[str]) -> Any:
    """Logits of shape (n_texts, n_types): the head on the mean of the token vectors."""
    batch = tokenizer(texts, truncation=True, max_length=MAX_TOKENS, padding=True, return_tensors="pt")
    hidden = encoder(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)
    return head((hidden * mask).sum(1) / mask.sum(1))


def predict_logits(tokenizer: Any, encoder: Any, head: Any, texts: list[str], batch_size: int = 32) -> NDArray[np.float32]:
    """The same for many texts, without gradients."""
    import torch

    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    logits = np.zeros((len(texts), head.out_features), np.float32)
    with torch.inference_mode():
        for i in range(0, len(order), batch_size):
            chosen = order[i : i + batch_size]
            logits[chosen] = pooled_logits(tokenizer, encoder, head, [texts[j] for j in chosen]).numpy()
    return logits


def _batches(examples: list[Example], size: int, order: random.Random) -> Iterator[list[Example]]:
    """Shuffled batches of texts of like length: padding is what costs time."""
    shuffled = examples[:]
    order.shuffle(shuffled)
    pools = [sorted(shuffled[i : i + 12 * size], key=lambda example: len(example.text)) for i in range(0, len(shuffled), 12 * size)]
    batches = [pool[i : i + size] for pool in pools for i in range(0, len(pool), size)]
    order.shuffle(batches)
    yield from batches


def _warmup_then_linear(step: int, n_steps: int, warmup_share: float) -> float:
    n_warmup = max(1, int(n_steps * warmup_share))
    return step / n_warmup if step < n_warmup else max(0.0, (n_steps - step) / max(1, n_steps - n_warmup))
