"""Writing Torch7 files as `torch.save` of Lua does, for tests: tables, numbers, texts, tensors and modules."""

import struct


class Module:
    """A Torch class: its name, and the table of its fields."""

    def __init__(self, name, **fields):
        self.name, self.fields = name, fields


class Writer:
    def __init__(self):
        self.parts = []
        self.numbers = {}
        self.kept = []  # so that no two objects have the same id

    def write(self, value):
        if isinstance(value, bool):
            self.add("<ii", 5, value)
        elif isinstance(value, (int, float)):
            self.add("<id", 1, value)
        elif isinstance(value, str):
            self.add("<i", 2)
            self.text(value)
        elif value is None:
            self.add("<i", 0)
        elif isinstance(value, (dict, list)):
            if self.begins(3, value):
                entries = value if isinstance(value, dict) else dict(enumerate(value, start=1))
                self.add("<i", len(entries))
                for key, entry in entries.items():
                    self.write(key)
                    self.write(entry)
        elif isinstance(value, Module):
            if self.begins(4, value):
                self.text("V 1")
                self.text(value.name)
                self.write(value.fields)
        elif self.begins(4, value):  # a tensor
            self.text("V 1")
            self.text("torch.FloatTensor")
            dense = value.contiguous()
            self.add("<i", dense.ndim)
            self.add(f"<{2 * dense.ndim + 1}q", *dense.shape, *dense.stride(), 1)
            if self.begins(4, dense):
                self.text("V 1")
                self.text("torch.FloatStorage")
                self.add("<q", dense.numel())
                self.parts.append(dense.numpy().tobytes())

    def begins(self, kind, value):
        """Write the number of an object; whether it is the first time."""
        key = (value.data_ptr(), "storage") if hasattr(value, "data_ptr") and id(value) in self.numbers else id(value)
        self.kept.append(value)
        first = key not in self.numbers
        number = self.numbers.setdefault(key, len(self.numbers) + 1)
        self.add("<ii", kind, number)
        return first

    def text(self, text):
        self.add("<i", len(text.encode()))
        self.parts.append(text.encode())

    def add(self, form, *values):
        self.parts.append(struct.pack(form, *values))


def write_torch7(path, value):
    writer = Writer()
    writer.write(value)
    path.write_bytes(b"".join(writer.parts))
    return path
