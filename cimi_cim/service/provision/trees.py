"""The bodies of Jobs on several resources at once: Systems, and what is deleted with its children.

See `bodies` for what holds for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cimi_cim.errors import ConflictError
from cimi_cim.service.holdings import Holdings
from cimi_cim.service.images import close_up
from cimi_cim.service.jobs.bodies import Child, JobContext, Json, Kinds
from cimi_cim.service.jobs.records import Work
from cimi_cim.service.provision.kinds import (
    ACT_ON_ALL,
    CREATE,
    DELETE,
    DELETE_TREE,
    FORGET,
    SYSTEM,
)
from cimi_cim.service.provision.nesting import acting, must_have_made, named, needs
from cimi_cim.service.store.writing import Writing


@dataclass(frozen=True, slots=True)
class Trees:
    """The bodies that have others do the work, in nested Jobs."""

    holdings: Holdings

    def register(self, kinds: Kinds) -> None:
        """Make the bodies known."""
        kinds.register(SYSTEM, self.system)
        kinds.register(FORGET, self.forget, can_stop=False)
        kinds.register(DELETE_TREE, self.delete_tree, can_stop=False)
        kinds.register(ACT_ON_ALL, self.act_on_all)

    def system(self, context: JobContext, arguments: Mapping[str, Json]) -> None:
        """Make the components of a System, those first that others need.

        Arguments: `path` of the System; `components`, each as for `create`, with the
        `placeholder` that others name it by.
        """
        path = str(arguments["path"])
        context.undo("system", FORGET, {"path": path}, f"delete {path}")
        waiting = {str(each["placeholder"]): each for each in arguments["components"]}
        made: dict[str, str] = {}
        while waiting:
            ready = {p: c for p, c in waiting.items() if not needs(c) & waiting.keys() - {p}}
            if not ready:
                raise ConflictError("components of the System need each other", reason="circular")
            children = [
                Child(placeholder, CREATE, Work("add", str(component["collection"])),
                      named(component, made))
                for placeholder, component in ready.items()
            ]  # fmt: skip
            for child in context.nested(children):
                collection = str(waiting.pop(child.key)["collection"])
                made[child.key] = must_have_made(self.holdings.store, child.job, collection)
                context.affected(made[child.key])

    def forget(self, context: JobContext, arguments: Mapping[str, Json]) -> None:
        """Delete what the store keeps of a resource, and what depends on it there."""
        path = str(arguments["path"])
        context.write(f"forgotten.{path}", lambda writing: forget_all(writing, path))

    def delete_tree(self, context: JobContext, arguments: Mapping[str, Json]) -> None:
        """Delete children in WBEM servers, then all that the store keeps.

        Machines go first: they use the others. Arguments: `path`, and `live`, which has the
        path where WBEM servers hold what is there, too. The children are those that there are
        once it is the Job's turn.
        """
        path = str(arguments["path"])
        itself = [path] if path in arguments["live"] else []
        live = context.hold_first("live", lambda: [*self.holdings.live_below(path), *itself])
        users = [each for each in live if self.holdings.catalog.at(each).type == "Machine"]
        for some in (users, [each for each in live if each not in users]):
            if some:
                context.nested([
                    Child(each, DELETE, Work("delete", each.rpartition("/")[0]), {"path": each})
                    for each in some
                ])  # fmt: skip
        context.also("gone", lambda writing: forget_all(writing, path))

    def act_on_all(self, context: JobContext, arguments: Mapping[str, Json]) -> None:
        """Act on several Machines. Arguments: `machines`, `action`, `parameters`."""
        name = str(arguments["action"])
        context.nested([acting(path, name, arguments) for path in map(str, arguments["machines"])])


def forget_all(writing: Writing, path: str) -> None:
    """What the store keeps of a resource goes with it, and what depends on it."""
    close_up(writing, path)
    writing.remove_with_dependents(path)
