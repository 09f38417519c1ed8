"""Run networks: ``providers`` chooses a device, ``session`` opens a network on it."""

import onnxruntime

# For an onnxruntime that was loaded before bshm, and for Windows, where it reports through the system; see `bshm`.
onnxruntime.disable_telemetry_events()
