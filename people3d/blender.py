"""The one door to Blender (``bpy``, GPL): it subdivides meshes so that outlines are round, and answers rays.

Cycles needs minutes a picture for forty thousand strands on one core, so the picture itself is drawn in numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import bpy
import numpy as np
from mathutils.bvhtree import BVHTree

from people3d.maths import Array, Surface, triangles


def surface(points: Array, faces: Array) -> Surface:
    """A mesh that answers where it is."""
    return cast(Surface, BVHTree.FromPolygons(points.tolist(), triangles(faces).tolist()))


def surface_of(meshes: list[tuple[Array, Array]]) -> Surface:
    """Several meshes (points, faces) as one surface."""
    starts = np.cumsum([0] + [len(points) for points, _ in meshes])
    faces = [triangles(faces) + start for (_, faces), start in zip(meshes, starts, strict=False)]
    tree = BVHTree.FromPolygons(np.concatenate([p for p, _ in meshes]).tolist(), np.concatenate(faces).tolist())
    return cast(Surface, tree)


def clear() -> None:
    """Forget every mesh of the picture before."""
    bpy.ops.wm.read_factory_settings(use_empty=True)


class Mesh:
    """A mesh in Blender's hands: its own normals now, its subdivided form later."""

    def __init__(self, points: Array, faces: Array) -> None:
        polygons = [list(dict.fromkeys(face)) for face in np.asarray(faces, dtype=object).tolist()]
        self._mesh = bpy.data.meshes.new("mesh")
        self._mesh.from_pydata(points.tolist(), [], polygons)
        self.normals = np.array([normal.vector for normal in self._mesh.vertex_normals])
        self.used = np.zeros(len(points), bool)
        self.used[np.concatenate([np.array(polygon) for polygon in polygons])] = True

    def subdivided(self, levels: int, attributes: Mapping[str, Array]) -> tuple[Array, Array, dict[str, Array]]:
        """Points, triangles and attributes (with ``normal`` among them) after ``levels`` subdivisions."""
        for name, values in attributes.items():
            attribute = self._mesh.attributes.new(name, "FLOAT_VECTOR", "POINT")
            attribute.data.foreach_set("vector", np.ascontiguousarray(values, np.float32).ravel())
        thing = bpy.data.objects.new("thing", self._mesh)
        bpy.context.scene.collection.objects.link(thing)
        if levels:
            modifier = thing.modifiers.new("round", "SUBSURF")
            modifier.levels = modifier.render_levels = levels
        done = thing.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
        done.calc_loop_triangles()
        corners = np.empty(len(done.loop_triangles) * 3, np.int32)
        done.loop_triangles.foreach_get("vertices", corners)

        def read(collection: Any, key: str) -> Array:
            values = np.empty(len(done.vertices) * 3, np.float32)
            collection.foreach_get(key, values)
            return values.reshape(-1, 3)

        points = read(done.vertices, "co")
        found = {"normal": read(done.vertex_normals, "vector")}
        found |= {name: read(done.attributes[name].data, "vector") for name in attributes}
        return points.astype(float), corners.reshape(-1, 3), found
