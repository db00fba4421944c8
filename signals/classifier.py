"""The event classifier: an encoder fine-tuned on the examples of this room, with label-wise attention over its token vectors.

Each event type has an attention vector, which says where in the text it is told, and an output vector, which says whether it is. So the logit is
exactly the attention-weighted mean of per-token logits, and the most attended sentence is the quote.

Source: Mullenbach et al.: Explainable prediction of medical codes from clinical text (2018), label-wise attention.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from signals.encoder import installed_minilm, load_sentence_transformer
from signals.first_stage import FirstStage
from storage.errors import ModelError

if TYPE_CHECKING:
    import torch

    from signals.minilm import MiniLM

MODEL_FOLDER = Path(__file__).with_name("model")
MAX_TOKENS = 512
BATCH_SIZE = 16  # of padded texts
TOKENS_AT_ONCE = 2_048  # of packed ones


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the classifier says of one text.

    Attributes:
        probabilities: shape (n_types,), calibrated, 0–1, in the order of ``EventClassifier.types``.
        attention: shape (n_tokens, n_types); each column sums to 1.
        token_spans: shape (n_tokens, 2); the characters of the text that each token covers; (0, 0) for special tokens.
    """

    probabilities: NDArray[np.float32]
    attention: NDArray[np.float32]
    token_spans: NDArray[np.int64]

    def evidence(self, start: int, end: int) -> NDArray[np.float32]:
        """Which share of each type's attention falls on the characters [start, end), shape (n_types,)."""
        inside = (self.token_spans[:, 0] >= start) & (self.token_spans[:, 1] <= end) & (self.token_spans[:, 1] > self.token_spans[:, 0])
        share: NDArray[np.float32] = self.attention[inside].sum(axis=0)
        return share


class EventClassifier:
    """Probabilities of event types for texts, from a model folder written by ``signals.training``; may be asked from several threads.

    Args:
        is_exact: reads all of a text, up to 512 tokens, in float32: the reference. Else an excerpt (signals/first_stage.py), in bfloat16 where the
            processor has it.

    Raises:
        ModelError: files are missing or their hashes are not those of the manifest.
    """

    def __init__(self, folder: Path = MODEL_FOLDER, is_exact: bool = False) -> None:
        self.folder = folder
        self.is_exact = is_exact
        self.manifest = read_manifest(folder)
        self.types: tuple[str, ...] = tuple(self.manifest["types"])
        self.thresholds = np.array([self.manifest["thresholds"][name] for name in self.types], np.float32)
        self.hint_weight = float(self.manifest["calibration"].get("hint", 0.0))  # log odds that a hint word in the quote adds
        self.first_stage = None if is_exact else FirstStage()
        self.version: str = self.manifest["version"] + (f"-{self.first_stage.version}" if self.first_stage else "")
        self._loaded: tuple[Any, Any, dict[str, torch.Tensor]] | None = None
        self._quick: tuple[Any, MiniLM, dict[str, torch.Tensor]] | None = None
        self._lock = threading.Lock()  # around loading and the tokenizer, which keeps the padding of its last call

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """One Prediction per text, in order; places are those of the whole text, of which an excerpt may have been read."""
        if self.first_stage is None:
            return self._predict(texts)
        excerpts = [self.first_stage.excerpt(text) for text in texts]
        found = self._predict([excerpt.text for excerpt in excerpts])
        return [
            replace(prediction, token_spans=excerpt.places_in_whole(prediction.token_spans))
            for prediction, excerpt in zip(found, excerpts, strict=True)
        ]

    def _predict(self, texts: Sequence[str]) -> list[Prediction]:
        return list(self._predict_exactly(texts) if self.is_exact else self._predict_quickly(texts))

    def _predict_quickly(self, texts: Sequence[str]) -> Iterator[Prediction]:
        import torch

        with self._lock:
            tokenizer, encoder, head = self.load_quick()
        tokens = tokenizer.encode_batch(list(texts))
        for batch in _in_batches(tokens):
            with torch.inference_mode():
                for read, hidden in zip(batch, encoder([each.ids for each in batch]), strict=True):
                    logits, attention = label_wise_logits(hidden, head)
                    yield self._prediction(logits.numpy(), attention.numpy(), np.array(read.offsets, np.int64))

    def _predict_exactly(self, texts: Sequence[str]) -> list[Prediction]:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found: dict[int, Prediction] = {}
        for i in range(0, len(order), BATCH_SIZE):
            chosen = order[i : i + BATCH_SIZE]
            found.update(zip(chosen, self._predict_padded([texts[j] for j in chosen]), strict=True))
        return [found[i] for i in range(len(texts))]

    def _predict_padded(self, texts: list[str]) -> Iterator[Prediction]:
        import torch

        with self._lock:
            tokenizer, encoder, head = self.load()
            batch = tokenizer(texts, truncation=True, max_length=MAX_TOKENS, padding=True, return_tensors="pt", return_offsets_mapping=True)
        spans = batch.pop("offset_mapping").numpy()
        with torch.inference_mode():
            hidden = encoder(**batch).last_hidden_state
            logits, attention = (found.numpy() for found in label_wise_logits(hidden, head, batch["attention_mask"]))
        for i in range(len(texts)):
            n_tokens = int(batch["attention_mask"][i].sum())
            yield self._prediction(logits[i], attention[i, :n_tokens], spans[i, :n_tokens].astype(np.int64))

    def _prediction(self, logits: NDArray[np.float32], attention: NDArray[np.float32], spans: NDArray[np.int64]) -> Prediction:
        slope, offset = self.manifest["calibration"]["slope"], self.manifest["calibration"]["intercept"]
        return Prediction((1 / (1 + np.exp(-(slope * logits + offset)))).astype(np.float32), attention, spans)

    def load_quick(self) -> tuple[Any, MiniLM, dict[str, torch.Tensor]]:
        """Tokenizer, encoder and head without sentence-transformers, read at the first call."""
        if self._quick is None:
            # Compiled code is kept for every shape that comes along: enough for those of MiniLM, whose numbers of rows are rounded up.
            os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")
            import torch
            from safetensors.torch import load_file

            from signals.minilm import MiniLM, load_tokenizer

            base = installed_minilm()
            tensors, head = self._own_tensors()
            encoder = MiniLM(
                base, {**load_file(base / "model.safetensors"), **tensors}, torch.bfloat16 if has_bfloat16() else torch.float32
            )
            self._quick = (load_tokenizer(base, MAX_TOKENS), encoder, head)
        return self._quick

    def _own_tensors(self) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """What the folder holds: the encoder's tensors that training changed, and the head; float32."""
        import torch
        from safetensors.torch import load_file

        tensors = {name: tensor.to(torch.float32) for name, tensor in load_file(self.folder / "model.safetensors").items()}
        head = {name: tensors.pop(f"head.{name}") for name in ("weight", "attention", "bias")}
        return tensors, head

    def load(self) -> tuple[Any, Any, dict[str, torch.Tensor]]:
        """Tokenizer, encoder and head as sentence-transformers has them, read from the folder at the first call."""
        if self._loaded is None:
            base = load_sentence_transformer(installed_minilm())
            tensors, head = self._own_tensors()
            encoder: Any = base[0].auto_model
            encoder.load_state_dict(tensors, strict=False)
            encoder.eval()
            self._loaded = (base.tokenizer, encoder, head)
        return self._loaded


def _in_batches(texts: Sequence[Any]) -> Iterator[list[Any]]:
    """Tokenized texts in their order, as many at once as have TOKENS_AT_ONCE."""
    batch: list[Any] = []
    n_tokens = 0
    for text in texts:
        if batch and n_tokens + len(text.ids) > TOKENS_AT_ONCE:
            yield batch
            batch, n_tokens = [], 0
        batch.append(text)
        n_tokens += len(text.ids)
    if batch:
        yield batch


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself; where it has to imitate it, float32 is faster.

    Source: the flags of Linux; elsewhere float32 is read.
    """
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def label_wise_logits(
    hidden: torch.Tensor, head: Mapping[str, torch.Tensor], mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of shape (…, n_types) and attention of shape (…, n_tokens, n_types) from token vectors of shape (…, n_tokens, n_hidden)."""
    speaks = hidden @ head["attention"].T
    if mask is not None:
        speaks = speaks.masked_fill(mask.unsqueeze(-1) == 0, -1e4)
    attention = speaks.softmax(dim=-2)
    return (attention * (hidden @ head["weight"].T)).sum(dim=-2) + head["bias"], attention


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a model folder, after every file it lists was found to have the listed SHA-256."""
    path = folder / "manifest.json"
    if not path.exists():
        raise ModelError(
            f"no event classifier at {folder} (manifest.json is missing); run `make train` or check classifier in bellwether.toml"
        )
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name, expected in manifest["files"].items():
        file = folder / name
        found = hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "no such file"
        if found != expected:
            raise ModelError(
                f"{file} is not the file of its manifest (SHA-256 {found[:12]}, expected {expected[:12]}); restore it or run `make train`"
            )
    return manifest


def classifier_text(title: str | None, text: str) -> str:
    """What the classifier reads of a document: the title, then the opening."""
    return f"{title.strip()}\n{text}" if title and title.strip() else text
