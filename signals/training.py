"""Fine-tunes the event classifier on ``signals/examples/*.jsonl``: ``python -m signals.training`` (``make train``).

Examples are of our own writing; no labelled real text takes part, so that those stay a test. A tenth of the accounts is held out: on their
texts the confidences are calibrated and the threshold is chosen.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signals.classifier import MAX_TOKENS, MODEL_FOLDER, classifier_text
from signals.encoder import MINILM_SHA256, installed_minilm, load_sentence_transformer
from signals.taxonomy import text_types
from storage.ids import content_key

EXAMPLES_FOLDER = Path(__file__).with_name("examples")
HELD_OUT_PART = 10  # one account in ten calibrates
MIN_PRECISION = 0.85  # of the held-out texts at the threshold: a false event costs a seller's trust, a missed one only a chance
FROZEN_PREFIX = "embeddings."  # stays as published, so it is not shipped again


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
    account: str
    text: str
    labels: frozenset[str]

    @property
    def is_held_out(self) -> bool:
        """Whether its account calibrates instead of training."""
        return int(content_key("held out", self.account), 16) % HELD_OUT_PART == 0


def build_model(folder: Path = MODEL_FOLDER, settings: Settings = Settings(), report: Any = print) -> None:
    """Trains, calibrates and writes the model folder that ``EventClassifier`` reads."""
    examples = load_examples()
    held_out = [example for example in examples if example.is_held_out]
    training = [example for example in examples if not example.is_held_out]
    report(f"{len(training)} examples train, {len(held_out)} calibrate")
    tokenizer, encoder, head = train(training, settings, report)
    types = text_types()
    logits = predict_logits(tokenizer, encoder, head, [example.text for example in held_out])
    labels = np.array([[name in example.labels for name in types] for example in held_out])
    slope, intercept = fit_calibration(logits, labels)
    probabilities = 1 / (1 + np.exp(-(slope * logits + intercept)))
    threshold, precision, recall = choose_threshold(probabilities, labels)
    report(f"held-out texts of our own writing: precision {precision:.3f}, recall {recall:.3f} at the threshold {threshold:.2f}")
    save_model(
        folder, encoder, head,
        {
            "types": types, "thresholds": dict.fromkeys(types, threshold), "calibration": {"slope": slope, "intercept": intercept},
            "base_sha256": MINILM_SHA256, "settings": asdict(settings), "n_training": len(training), "n_held_out": len(held_out),
            "examples_key": content_key(*(f"{e.example_id}\x1f{e.text}\x1f{sorted(e.labels)}" for e in examples)),
            "held_out": {"precision": round(precision, 4), "recall": round(recall, 4)},
        },
    )  # fmt: skip


def fit_calibration(logits: NDArray[np.float32], labels: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept of Platt scaling over all types at once.

    Source: Platt: Probabilistic outputs for support vector machines (1999).
    """
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e3).fit(logits.reshape(-1, 1), labels.reshape(-1))
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def choose_threshold(probabilities: NDArray[Any], labels: NDArray[np.bool_]) -> tuple[float, float, float]:
    """The lowest threshold from 0.3 up that reaches MIN_PRECISION over all types, with its precision and recall; 0.9 when none does."""
    for threshold in np.arange(0.30, 0.91, 0.01):
        found = probabilities >= threshold
        right = int((found & labels).sum())
        precision, recall = right / max(1, int(found.sum())), right / max(1, int(labels.sum()))
        if precision >= MIN_PRECISION:
            break
    return round(float(threshold), 2), precision, recall


def save_model(folder: Path, encoder: Any, head: Any, manifest: dict[str, Any]) -> None:
    """Writes what differs from the published encoder as float16 safetensors, and the manifest with the file's hash."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: tensor.to(torch.float16).contiguous()
        for name, tensor in encoder.state_dict().items()
        if not name.startswith(FROZEN_PREFIX) and tensor.is_floating_point()
    }
    tensors |= {"head.weight": head.weight.detach().to(torch.float16), "head.bias": head.bias.detach().to(torch.float16)}
    file = folder / "model.safetensors"
    save_file(tensors, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest |= {"version": digest[:12], "files": {file.name: digest}}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def load_examples(folder: Path = EXAMPLES_FOLDER) -> list[Example]:
    """All examples in the order of file names and lines."""
    examples = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            examples.append(Example(row["id"], row["account"], classifier_text(row["title"], row["text"]), frozenset(row["labels"])))
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
    for name, parameter in encoder.named_parameters():
        parameter.requires_grad = not name.startswith(FROZEN_PREFIX)
    head = torch.nn.Linear(encoder.config.hidden_size, len(types))
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.constant_(head.bias, -3.0)  # most texts report no event of a given type
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in encoder.parameters() if p.requires_grad], "lr": settings.learning_rate},
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
            with torch.autocast("cpu", dtype=torch.bfloat16):  # twice as fast; the weights themselves stay float32
                logits = pooled_logits(tokenizer, encoder, head, [example.text for example in batch]).float()
            targets = torch.tensor([[float(name in example.labels) for name in types] for example in batch])
            loss: Any = binary_cross_entropy_with_logits(logits, targets, pos_weight=positive_weight, reduction="sum") / len(batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            total += float(loss.detach()) * len(batch)
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


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Fine-tunes the event classifier on signals/examples.")
    parser.add_argument("--out", type=Path, default=MODEL_FOLDER, help="model folder to write")
    parser.add_argument("--epochs", type=int, default=Settings().n_epochs)
    arguments = parser.parse_args()
    build_model(arguments.out, Settings(n_epochs=arguments.epochs))


if __name__ == "__main__":
    main()
