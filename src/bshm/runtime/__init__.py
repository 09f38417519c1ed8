"""Run networks: ``providers`` chooses a device, ``session`` opens a network on it."""

import contextlib

import onnxruntime

# For an onnxruntime that was loaded before bshm, and for Windows, where it reports through the system; see `bshm`.
onnxruntime.disable_telemetry_events()

# All networks of this process work in the same memory.  Those of a set run one after the other, so they need as much as
# the largest of them and not as much as all (250 MB in place of 340 for the set in the box), and the later ones find
# memory that was touched already.
with contextlib.suppress(RuntimeError):  # a program around bshm has set up its own: then they work in that
    onnxruntime.create_and_register_allocator(
        onnxruntime.OrtMemoryInfo(
            "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
        ),
        None,
    )
