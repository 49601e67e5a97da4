from tests.weights.conftest import hub

__all__ = ["hub"]
