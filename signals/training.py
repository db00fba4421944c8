"""Fine-tunes the event classifier on ``signals/examples/*.jsonl``: ``python -m signals.training`` (``make train``).

Examples are of our own writing; labelled real texts may come in beside them (``--texts``, as ``signals.real_texts`` writes them; what ``bellwether
feedback --export`` wrote goes to ``--feedback``). A tenth of the accounts is held out: on their texts, the real ones if there are any, the confidences
are calibrated and the threshold is chosen. ``signals.adaptation`` goes on from here. Most texts are learned as the nightly job reads them, as excerpts.

What makes it quick on two cores: no dropout (its random numbers cost more than the layers; words are masked instead), bfloat16, batches of
equal numbers of tokens, frozen word embeddings.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signals.classifier import MAX_TOKENS, MODEL_FOLDER, EventClassifier, classifier_text, label_wise_logits
from signals.encoder import MINILM_SHA256, installed_minilm, load_sentence_transformer
from signals.evaluation import load_gold, text_key
from signals.first_stage import FirstStage
from signals.taxonomy import text_types
from storage.ids import content_key

EXAMPLES_FOLDER = Path(__file__).with_name("examples")
HELD_OUT_PART = 10  # one account in ten calibrates
FROZEN_PREFIX = "embeddings."  # stays as published, so it is not shipped again
MAX_CHARS = 2_800
TOKENS_PER_BATCH = 4096
FLAT = 0.005  # differences of F below this are noise in a few hundred labels
INITIAL_BIAS = -3.0  # most texts report no event of a given type


@dataclass(frozen=True, slots=True)
class Settings:
    """What a training run depends on besides the examples; the seed makes it repeatable on one machine.

    Attributes:
        quote_weight: weight of the loss that draws a type's attention to the words of its quote.
        masked_share: share of the words hidden at each step.
        filled_share: share of the texts that get paragraphs of an uneventful text around them, as real posts have.
        excerpt_share: share of the texts that are learned as excerpts, the others by their openings.
    """

    n_epochs: int = 4
    learning_rate: float = 5e-5
    head_learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup_share: float = 0.1
    positive_weight: float = 2.0
    quote_weight: float = 0.3
    masked_share: float = 0.1
    filled_share: float = 0.5
    excerpt_share: float = 0.8
    seed: int = 20261101


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled text; ``quotes`` are the passages that report a type, where they are known."""

    example_id: str
    account: str
    title: str
    text: str
    labels: frozenset[str]
    quotes: dict[str, str] = field(default_factory=dict)
    is_trap: bool = False
    doubts: frozenset[str] = frozenset()  # types that readers could not agree on; they count neither for nor against

    @property
    def is_held_out(self) -> bool:
        """Whether its account calibrates instead of training."""
        return int(content_key("held out", self.account), 16) % HELD_OUT_PART == 0


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as the encoder reads it; ``quotes`` gives the places of the tokens of each type's quote."""

    ids: list[int]
    labels: list[int]
    quotes: dict[int, list[int]]
    doubts: list[int]


def build_model(
    folder: Path = MODEL_FOLDER,
    settings: Settings = Settings(),
    report: Any = print,
    feedback: Path | None = None,
    texts: Path | None = None,
) -> None:
    """Trains, calibrates and writes the model folder that ``EventClassifier`` reads.

    Args:
        feedback: a file of further examples, as ``bellwether feedback --export`` writes it.
        texts: a file of labelled real texts, as ``signals.real_texts`` writes it.
    """
    real = [labelled_example(row) for row in load_gold(texts)] if texts else []
    own = [*load_examples(), *(read_examples(feedback) if feedback else [])]
    examples = [*own, *real]
    held_out = [example for example in real or own if example.is_held_out]
    training = [example for example in examples if not example.is_held_out]
    report(f"{len(training)} examples train, {len(held_out)} calibrate")
    tokenizer, encoder, head = train(training, settings, report)
    types = text_types()
    filler, first_stage = Filler(held_out, settings), FirstStage()
    judged = held_out if real else [*held_out, *(filler.fill(example, 1.0) for example in held_out)]
    logits = predict_logits(encoder, head, [tokenize(tokenizer, example, types, first_stage) for example in judged])
    slope, intercept, threshold, precision, recall = calibrate(logits, judged, types)
    report(f"held-out texts: precision {precision:.3f}, recall {recall:.3f} at the threshold {threshold:.2f}")
    save_model(
        folder, encoder, head,
        {
            "types": types, "thresholds": dict.fromkeys(types, threshold), "calibration": {"slope": slope, "intercept": intercept},
            "base_sha256": MINILM_SHA256, "settings": asdict(settings), "n_training": len(training), "n_held_out": len(held_out),
            "examples_key": content_key(*(f"{e.example_id}\x1f{e.text}\x1f{sorted(e.labels)}" for e in examples)),
            "texts": sorted(example.example_id for example in real),
            "held_out": {"precision": round(precision, 4), "recall": round(recall, 4)},
        },
    )  # fmt: skip


def calibrate(logits: NDArray[np.float32], examples: Sequence[Example], types: Sequence[str]) -> tuple[float, float, float, float, float]:
    """Slope and intercept of the confidences, the threshold, and precision and recall there; doubtful types do not count.

    Args:
        logits: shape (n_examples, n_types), of examples that took no part in the training.
    """
    is_label = np.array([[name in example.labels for name in types] for example in examples])
    is_certain = np.array([[name not in example.doubts for name in types] for example in examples])
    slope, intercept = fit_calibration(logits[is_certain], is_label[is_certain])
    probabilities = 1 / (1 + np.exp(-(slope * logits + intercept)))
    return slope, intercept, *choose_threshold(probabilities[is_certain], is_label[is_certain])


def fit_calibration(logits: NDArray[np.float32], labels: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept of Platt scaling over all types at once.

    Source: Platt: Probabilistic outputs for support vector machines (1999).
    """
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e3).fit(logits.reshape(-1, 1), labels.reshape(-1))
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def choose_threshold(probabilities: NDArray[Any], labels: NDArray[np.bool_]) -> tuple[float, float, float]:
    """A threshold for all types, with its precision and recall: the lowest whose F lies within FLAT of the best.

    Precision counts twice (F-beta with beta² = 1/2): a false event costs more trust than a missed one.
    """
    thresholds = np.round(np.arange(0.20, 0.91, 0.01), 2)
    n_found = np.array([int((probabilities >= threshold).sum()) for threshold in thresholds])
    n_right = np.array([int(((probabilities >= threshold) & labels).sum()) for threshold in thresholds])
    f_beta = 1.5 * n_right / np.maximum(1.0, n_found + 0.5 * labels.sum())
    best = int(np.argmax(f_beta >= f_beta.max() - FLAT))
    return float(thresholds[best]), float(n_right[best] / max(1, n_found[best])), float(n_right[best] / max(1, int(labels.sum())))


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
    tensors |= {f"head.{name}": tensor.detach().to(torch.float16).contiguous() for name, tensor in head.items()}
    file = folder / "model.safetensors"
    save_file(tensors, file)
    write_manifest(folder, manifest | {"files": {file.name: hashlib.sha256(file.read_bytes()).hexdigest()}})


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Writes the manifest of a model whose files are there; its version follows from their hashes, the thresholds and the calibration."""
    decided = [manifest["thresholds"], manifest["calibration"]]
    version = content_key(*sorted(manifest["files"].values()), json.dumps(decided, sort_keys=True))
    (folder / "manifest.json").write_text(json.dumps(manifest | {"version": version}, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def load_examples(folder: Path = EXAMPLES_FOLDER) -> list[Example]:
    """All examples in the order of file names and lines."""
    return [example for path in sorted(folder.glob("*.jsonl")) for example in read_examples(path)]


def read_examples(path: Path) -> list[Example]:
    """The examples of one file."""
    examples = []
    for line in filter(None, path.read_text(encoding="utf-8").split("\n")):
        row = json.loads(line)
        quotes = row["labels"] if isinstance(row["labels"], dict) else {}
        examples.append(
            Example(row["id"], row["account"], row["title"], row["text"], frozenset(row["labels"]), quotes, bool(row.get("trap")))
        )
    return examples


def labelled_example(row: dict[str, Any]) -> Example:
    """A labelled text, as ``load_gold`` reads it, as training reads it."""
    evidence = row.get("evidence") or {}
    labels = frozenset(row["labels"])
    quotes = {name: quote for name, quote in evidence.items() if name in labels and isinstance(quote, str)}
    doubts = frozenset(row.get("doubt") or [])
    return Example(
        text_key(row), str(row.get("account") or ""), str(row.get("title") or ""), str(row["text"]), labels, quotes, doubts=doubts
    )


class Filler:
    """Puts paragraphs of an uneventful text before and after another: a real post tells its news among much else."""

    def __init__(self, examples: Sequence[Example], settings: Settings) -> None:
        self._random = random.Random(settings.seed)
        self._quiet = [example for example in examples if not example.labels and not example.is_trap and len(example.text) > 200]

    def fill(self, example: Example, share: float) -> Example:
        """The example itself or, for a share of the calls, a longer one with the same labels and quotes."""
        if len(example.text) > MAX_CHARS - 400 or not self._quiet or self._random.random() >= share:
            return example
        paragraphs = self._random.choice(self._quiet).text.split("\n")
        n_before = self._random.choice((0, 0, 0, 1)) if len(paragraphs) > 2 else 0
        text = "\n".join([*paragraphs[:n_before], example.text, *paragraphs[n_before:]])
        return replace(example, text=text)


def tokenize(tokenizer: Any, example: Example, types: Sequence[str], first_stage: FirstStage | None = None) -> Tokens:
    """The tokens of the example, or of its excerpt, and which of them stand inside the quote of which type."""
    full = classifier_text(example.title, example.text[:MAX_CHARS])
    if first_stage is not None:
        full = first_stage.excerpt(full).text
    read = tokenizer(full, truncation=True, max_length=MAX_TOKENS, return_offsets_mapping=True)
    quotes: dict[int, list[int]] = {}
    for name, quote in example.quotes.items():
        start = full.find(quote)
        inside = [i for i, (a, b) in enumerate(read["offset_mapping"]) if start <= a < b <= start + len(quote)] if start >= 0 else []
        if inside and name in types:
            quotes[types.index(name)] = inside
    labels, doubts = ([i for i, name in enumerate(types) if name in names] for names in (example.labels, example.doubts))
    return Tokens(read["input_ids"], labels, quotes, doubts)


def train(
    examples: list[Example], settings: Settings, report: Any = print, base: EventClassifier | None = None
) -> tuple[Any, Any, dict[str, Any]]:
    """A fine-tuned encoder with its head and tokenizer: ``(tokenizer, encoder, head)``, in evaluation mode; goes on from ``base`` if given."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    torch.manual_seed(settings.seed)
    order = random.Random(settings.seed)
    types = text_types()
    tokenizer, encoder, head = _load_start(len(types)) if base is None else base.load()
    _make_trainable(encoder)
    head = {name: torch.nn.Parameter(tensor.clone()) for name, tensor in head.items()}
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in encoder.parameters() if p.requires_grad], "lr": settings.learning_rate},
            {"params": list(head.values()), "lr": settings.head_learning_rate},
        ],
        weight_decay=settings.weight_decay,
    )
    filler, first_stage = Filler(examples, settings), FirstStage()
    n_texts, n_read = len(examples) * settings.n_epochs, 0
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: _warmup_then_linear(n_read, n_texts, settings.warmup_share))
    positive_weight = torch.full((len(types),), settings.positive_weight)
    for epoch in range(settings.n_epochs):
        total = 0.0
        texts = [
            tokenize(
                tokenizer,
                filler.fill(example, settings.filled_share),
                types,
                first_stage if order.random() < settings.excerpt_share else None,
            )
            for example in examples
        ]
        for batch in _batches(texts, order):
            ids, mask = _padded(batch)
            hidden_words = (torch.rand(ids.shape) < settings.masked_share) & (mask > 0)
            hidden_words[:, 0] = False
            ids[hidden_words] = tokenizer.mask_token_id
            with torch.autocast("cpu", dtype=torch.bfloat16):  # twice as fast; the weights themselves stay float32
                hidden = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            logits, attention = label_wise_logits(hidden.float(), head, mask)
            targets = torch.tensor([[float(i in item.labels) for i in range(len(types))] for item in batch])
            weights = torch.tensor([[float(i not in item.doubts) for i in range(len(types))] for item in batch])
            loss: Any = binary_cross_entropy_with_logits(logits, targets, weights, pos_weight=positive_weight, reduction="sum")
            on_quotes = [attention[i, places, j].sum() for i, item in enumerate(batch) for j, places in item.quotes.items()]
            if on_quotes:
                loss = loss - settings.quote_weight * torch.stack(on_quotes).clamp_min(1e-6).log().sum()
            (loss / len(batch)).backward()
            torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            n_read += len(batch)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            total += float(loss.detach())
        report(f"epoch {epoch + 1}/{settings.n_epochs}: mean loss {total / len(examples):.3f}")
    encoder.eval()
    return tokenizer, encoder, {name: parameter.detach() for name, parameter in head.items()}


def _load_start(n_types: int) -> tuple[Any, Any, dict[str, Any]]:
    import torch

    base = load_sentence_transformer(installed_minilm())
    encoder: Any = base[0].auto_model
    n_hidden = encoder.config.hidden_size
    zeros = torch.zeros(n_types, n_hidden)
    return base.tokenizer, encoder, {"weight": zeros, "attention": zeros, "bias": torch.full((n_types,), INITIAL_BIAS)}


def _make_trainable(encoder: Any) -> None:
    import torch

    encoder.config._attn_implementation = "eager"  # the fused kernel's backward pass is slower on a CPU
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for name, parameter in encoder.named_parameters():
        parameter.requires_grad = not name.startswith(FROZEN_PREFIX)
    encoder.train()


def predict_logits(encoder: Any, head: dict[str, Any], texts: list[Tokens]) -> NDArray[np.float32]:
    """Logits of shape (n_texts, n_types), without gradients."""
    import torch

    logits = np.zeros((len(texts), len(head["bias"])), np.float32)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i].ids))
    with torch.inference_mode():
        for i in range(0, len(order), 16):
            chosen = order[i : i + 16]
            ids, mask = _padded([texts[j] for j in chosen])
            hidden = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            logits[chosen] = label_wise_logits(hidden, head, mask)[0].numpy()
    return logits


def _padded(batch: Sequence[Tokens]) -> tuple[Any, Any]:
    import torch

    longest = max(len(item.ids) for item in batch)
    ids, mask = torch.zeros((len(batch), longest), dtype=torch.long), torch.zeros((len(batch), longest))
    for i, item in enumerate(batch):
        ids[i, : len(item.ids)] = torch.tensor(item.ids)
        mask[i, : len(item.ids)] = 1
    return ids, mask


def _batches(texts: list[Tokens], order: random.Random) -> Iterator[list[Tokens]]:
    """Shuffled batches of texts of like length and at most TOKENS_PER_BATCH tokens: padding is what costs time."""
    shuffled = texts[:]
    order.shuffle(shuffled)
    batches: list[list[Tokens]] = []
    for i in range(0, len(shuffled), 192):
        batch: list[Tokens] = []
        for item in sorted(shuffled[i : i + 192], key=lambda item: len(item.ids)):
            if batch and ((len(batch) + 1) * len(item.ids) > TOKENS_PER_BATCH or len(batch) == 16):
                batches.append(batch)
                batch = []
            batch.append(item)
        batches.append(batch)
    order.shuffle(batches)
    yield from batches


def _warmup_then_linear(n_read: int, n_texts: int, warmup_share: float) -> float:
    """Share of the learning rate after so many texts: rises from nought, then falls to it."""
    n_warmup = max(1.0, n_texts * warmup_share)
    return n_read / n_warmup if n_read < n_warmup else max(0.0, (n_texts - n_read) / (n_texts - n_warmup))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Fine-tunes the event classifier on signals/examples.")
    parser.add_argument("--out", type=Path, default=MODEL_FOLDER, help="model folder to write")
    parser.add_argument("--epochs", type=int, default=Settings().n_epochs)
    parser.add_argument("--texts", type=Path, help="labelled real texts: training.jsonl of `python -m signals.real_texts`")
    parser.add_argument("--feedback", type=Path, help="further examples: what `bellwether feedback --export` wrote")
    arguments = parser.parse_args()
    build_model(arguments.out, Settings(n_epochs=arguments.epochs), feedback=arguments.feedback, texts=arguments.texts)


if __name__ == "__main__":
    main()
