"""The gateway to a real WBEM server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from cimi_cim.wbem.deadline import Deadline
from cimi_cim.wbem.decode import InstanceDecoder, decode_class_names, decode_method, decode_whole
from cimi_cim.wbem.dialect import Dialect
from cimi_cim.wbem.errors import (
    WbemBadReply,
    WbemFailed,
    WbemNotSupported,
    WbemReplyTooLarge,
    WbemStatus,
    outcome_unknown,
)
from cimi_cim.wbem.gateway import MethodOutcome, TypedValue
from cimi_cim.wbem.request import (
    create_request,
    intrinsic_request,
    method_request,
    modify_request,
)
from cimi_cim.wbem.transport import ConnectionSettings, Posts, Transport
from cimi_cim.wbem.values import EmbeddedInstance, InstancePath, Row, Rows

_INVALID_CONTEXT = 21  # of an enumeration that the server has closed meanwhile
_LIST_REFUSED = (4, 12)  # CIM_ERR_INVALID_PARAMETER, CIM_ERR_NO_SUCH_PROPERTY


class WbemClient:
    """Implements `Gateway` over CIM-XML (DSP0200, DSP0201).

    `transport` may be another than the plain one: one that listens.
    """

    def __init__(
        self, settings: ConnectionSettings, dialect: Dialect, transport: Posts | None = None
    ) -> None:
        self._transport = transport or Transport(settings)
        self._dialect = dialect
        self._pulls = dialect.pull
        self._whole: set[str] = set()  # classes whose property lists the server refuses

    def close(self) -> None:
        """Give back every connection."""
        self._transport.close()

    def enumerate_instances(
        self, classname: str, namespace: str, properties: Sequence[str], *, deadline: Deadline
    ) -> list[Row]:
        """Return all instances of a class and its subclasses."""
        is_doubtful = False
        if self._pulls:
            try:
                return self._pull(classname, namespace, properties, deadline)
            except WbemNotSupported:
                self._pulls = False  # once and for all: this server does not pull
            except WbemFailed as exc:  # what some servers say who do not pull
                is_doubtful = exc.code != _INVALID_CONTEXT
        parameters = {
            "ClassName": classname,
            "LocalOnly": False,
            "DeepInheritance": True,
            "IncludeQualifiers": False,
            "IncludeClassOrigin": False,
        }
        rows = self._rows("EnumerateInstances", namespace, parameters, properties, deadline)
        self._pulls = self._pulls and not is_doubtful
        return rows

    def _pull(
        self, classname: str, namespace: str, properties: Sequence[str], deadline: Deadline
    ) -> Rows:
        parameters: dict[str, Any] = {
            "ClassName": classname,
            "DeepInheritance": True,
            "MaxObjectCount": self._dialect.max_objects,
        }
        decoder = InstanceDecoder(properties, namespace)
        found = self._read(
            "OpenEnumerateInstances", namespace, parameters, properties, decoder, deadline
        )
        if decoder.end_of_sequence is None and not decoder.context:
            self._pulls = False  # answered like the classic operation: these are all
            return found
        while not decoder.end_of_sequence:
            if not decoder.context:
                raise WbemBadReply(
                    "the WBEM server neither ends nor continues an enumeration; say a `server`"
                    " for the target that does without pull operations, such as generic"
                )
            parameters = {
                "EnumerationContext": decoder.context,
                "MaxObjectCount": self._dialect.max_objects,
            }
            decoder.end_of_sequence, decoder.context = None, None
            more = self._ask("PullInstancesWithPath", namespace, parameters, decoder, deadline)
            found += more
            found.left_out += more.left_out
        return found

    def get_instance(
        self, path: InstancePath, properties: Sequence[str], *, deadline: Deadline
    ) -> Row:
        """Return one instance."""
        parameters = {
            "InstanceName": path,
            "LocalOnly": False,
            "IncludeQualifiers": False,
            "IncludeClassOrigin": False,
        }
        decoder = InstanceDecoder(properties, path.namespace)
        rows = self._read(
            "GetInstance", path.namespace, parameters, properties, decoder, deadline, path
        )
        if not rows:
            raise WbemBadReply("the WBEM server answers GetInstance without an instance")
        return rows[0]

    def get_whole(self, path: InstancePath, *, deadline: Deadline) -> EmbeddedInstance:
        """Return one instance with all its properties and their types, to send it back."""
        parameters = {
            "InstanceName": path,
            "LocalOnly": False,
            "IncludeQualifiers": False,
            "IncludeClassOrigin": False,
        }
        body = intrinsic_request("GetInstance", path.namespace, parameters)
        headers = _headers("GetInstance", path.namespace)
        with self._post(body, headers, deadline) as chunks:
            return decode_whole(chunks, path.namespace)

    def associators(
        self,
        path: InstancePath,
        properties: Sequence[str],
        *,
        assoc_class: str,
        result_class: str | None = None,
        role: str | None = None,
        result_role: str | None = None,
        deadline: Deadline,
    ) -> list[Row]:
        """Return the instances at the other end of the associations of `path`."""
        parameters = {
            "ObjectName": path,
            "AssocClass": assoc_class,
            "ResultClass": result_class,
            "Role": role,
            "ResultRole": result_role,
            "IncludeQualifiers": False,
            "IncludeClassOrigin": False,
        }
        return self._rows("Associators", path.namespace, parameters, properties, deadline)

    def associator_names(
        self,
        path: InstancePath,
        *,
        assoc_class: str,
        result_class: str | None = None,
        role: str | None = None,
        result_role: str | None = None,
        deadline: Deadline,
    ) -> list[InstancePath]:
        """As `associators`, paths only."""
        parameters = {
            "ObjectName": path,
            "AssocClass": assoc_class,
            "ResultClass": result_class,
            "Role": role,
            "ResultRole": result_role,
        }
        rows = self._rows("AssociatorNames", path.namespace, parameters, (), deadline)
        return [row.path for row in rows]

    def references(
        self,
        path: InstancePath,
        properties: Sequence[str],
        *,
        result_class: str,
        role: str | None = None,
        deadline: Deadline,
    ) -> list[Row]:
        """Return the association instances that refer to `path`."""
        parameters = {
            "ObjectName": path,
            "ResultClass": result_class,
            "Role": role,
            "IncludeQualifiers": False,
            "IncludeClassOrigin": False,
        }
        return self._rows("References", path.namespace, parameters, properties, deadline)

    def class_names(
        self, classname: str | None, namespace: str, *, deadline: Deadline
    ) -> list[str]:
        """Return the names of all classes below `classname`, or of all there are."""
        parameters = {"ClassName": classname, "DeepInheritance": True}
        body = intrinsic_request("EnumerateClassNames", namespace, parameters)
        headers = _headers("EnumerateClassNames", namespace)
        with self._post(body, headers, deadline) as chunks:
            return decode_class_names(chunks)

    def invoke_method(
        self,
        path: InstancePath,
        method: str,
        parameters: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> MethodOutcome:
        """Call an extrinsic method once; never sent a second time."""
        body = method_request(path, method, parameters, embed_as_text=self._dialect.embed == "text")
        headers = _headers(method, f"{path.namespace}:{path.classname}")
        try:
            with self._post(body, headers, deadline, is_change=True) as chunks:
                returned, out = decode_method(chunks, path.namespace)
        except (WbemBadReply, WbemReplyTooLarge) as exc:
            raise outcome_unknown() from exc  # it was carried out, or it was not
        return MethodOutcome(returned, out)

    def modify_instance(
        self, path: InstancePath, values: Mapping[str, TypedValue], *, deadline: Deadline
    ) -> None:
        """Give properties of an instance other values, and leave the others as they are."""
        body = modify_request(path, values)
        headers = _headers("ModifyInstance", path.namespace)
        with self._post(body, headers, deadline, is_change=True) as chunks:
            InstanceDecoder((), path.namespace).decode(chunks)

    def create_instance(
        self,
        classname: str,
        namespace: str,
        values: Mapping[str, TypedValue],
        *,
        deadline: Deadline,
    ) -> InstancePath:
        """Make an instance, and return its path; never sent a second time."""
        body = create_request(namespace, classname, values)
        rows = self._changed("CreateInstance", body, namespace, deadline)
        if not rows:
            raise outcome_unknown()
        return rows[0].path

    def delete_instance(self, path: InstancePath, *, deadline: Deadline) -> None:
        """Delete an instance; never sent a second time."""
        body = intrinsic_request("DeleteInstance", path.namespace, {"InstanceName": path})
        self._changed("DeleteInstance", body, path.namespace, deadline)

    def _changed(self, operation: str, body: bytes, namespace: str, deadline: Deadline) -> Rows:
        """Send what changes something; an answer that cannot be read does not undo it."""
        try:
            with self._post(body, _headers(operation, namespace), deadline, is_change=True) as said:
                return InstanceDecoder((), namespace).decode(said)
        except (WbemBadReply, WbemReplyTooLarge) as exc:
            raise outcome_unknown() from exc

    def _rows(
        self,
        operation: str,
        namespace: str,
        parameters: Mapping[str, Any],
        properties: Sequence[str],
        deadline: Deadline,
    ) -> Rows:
        decoder = InstanceDecoder(properties, namespace)
        return self._read(operation, namespace, parameters, properties, decoder, deadline)

    def _read(
        self,
        operation: str,
        namespace: str,
        parameters: Mapping[str, Any],
        properties: Sequence[str],
        decoder: InstanceDecoder,
        deadline: Deadline,
        path: InstancePath | None = None,
    ) -> Rows:
        """Ask for these properties alone; for whole instances where the server minds that."""
        about = parameters.get("ClassName") or parameters.get("ObjectName") or path
        subject = (about.classname if isinstance(about, InstancePath) else str(about)).lower()
        if not self._dialect.property_list or subject in self._whole:
            return self._ask(operation, namespace, parameters, decoder, deadline, path)
        wanted = {**parameters, "PropertyList": sorted(set(properties))}
        try:
            return self._ask(operation, namespace, wanted, decoder, deadline, path)
        except WbemStatus as exc:
            if exc.code not in _LIST_REFUSED or not properties:
                raise
            rows = self._ask(operation, namespace, parameters, decoder, deadline, path)
            self._whole.add(subject)
            return rows

    def _ask(
        self,
        operation: str,
        namespace: str,
        parameters: Mapping[str, Any],
        decoder: InstanceDecoder,
        deadline: Deadline,
        path: InstancePath | None = None,
    ) -> Rows:
        body = intrinsic_request(operation, namespace, parameters)
        with self._post(body, _headers(operation, namespace), deadline) as chunks:
            return decoder.decode(chunks, path)

    @contextmanager
    def _post(
        self, body: bytes, headers: dict[str, str], deadline: Deadline, *, is_change: bool = False
    ) -> Iterator[Iterator[bytes]]:
        """Post, and take an error for what this kind of server means by it."""
        try:
            with self._transport.post(body, headers, deadline, is_change=is_change) as chunks:
                yield chunks
        except WbemStatus as exc:
            if isinstance(exc, WbemNotSupported) or not self._dialect.means_not_supported(exc):
                raise
            raise WbemNotSupported(exc.code, exc.description) from exc


def _headers(method: str, target: str) -> dict[str, str]:
    return {"CIMOperation": "MethodCall", "CIMMethod": method, "CIMObject": target}
