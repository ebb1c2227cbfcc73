"""The networks of architectures, and what they are made of."""

from blox_core.model.network import Classifier, LoneOp, Network, Reduction, TwoOps, build_model

__all__ = ["Classifier", "LoneOp", "Network", "Reduction", "TwoOps", "build_model"]
