"""The methods of HTTP on resources, Collections and operations (DSP0263 4.2.1)."""

from __future__ import annotations

from contextlib import suppress

import falcon

from cimi_cim.errors import BadRequest, MethodNotAllowed, NotFound
from cimi_cim.http.exchange import Exchange
from cimi_cim.http.incomplete import tell_incomplete
from cimi_cim.http.preconditions import precondition
from cimi_cim.http.query_parameters import parse_query, parse_selection
from cimi_cim.http.routes import Route, Target
from cimi_cim.incomplete import noting
from cimi_cim.service.outcome import Written
from cimi_cim.service.service import Service


class Verbs:
    """Answers requests whose route is known."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def answer(self, exchange: Exchange, route: Route) -> None:
        """Answer a request. Raises `MethodNotAllowed`, and what the use cases raise."""
        req, resp = exchange.req, exchange.resp
        resp.set_header("Allow", ", ".join(route.methods))
        if req.method not in route.methods:
            raise MethodNotAllowed(f"{req.method} does not apply to {req.path}",
                                   allowed=route.methods)  # fmt: skip
        if req.method == "OPTIONS":
            resp.status = falcon.HTTP_204
        elif req.method in ("GET", "HEAD"):
            self._read(exchange, route)
        elif req.method == "PUT":
            self._update(exchange, route)
        elif req.method == "DELETE":
            self._delete(exchange, route)
        elif route.target is Target.ACTION:
            self._act(exchange, route)
        else:
            self._post(exchange, route)

    def _read(self, exchange: Exchange, route: Route) -> None:
        location, media = route.location, exchange.media
        query = parse_query(exchange.parameters, location, self._service.model, exchange.version)
        with noting() as left_out:
            found = self._service.reader.read(location, exchange.version, query, exchange.links.of)
        tell_incomplete(exchange.resp, left_out)
        exchange.send_if_changed(media, found)

    def _update(self, exchange: Exchange, route: Route) -> None:
        media, location, links = exchange.media, route.location, exchange.links
        body, decoder = exchange.read_document()
        values = decoder.decode(body, location.type, links)
        selected = parse_selection(
            exchange.parameters, location, self._service.model, exchange.version
        )
        check = precondition(exchange.req, links, selected)
        written = self._service.changing.update(
            location, exchange.version, values, selected, check, exchange.request
        )
        if not written.is_done:
            self._accepted(exchange, media, written)
            return
        exchange.tell_job(written.job)
        self._show(exchange, media, location.path)

    def _delete(self, exchange: Exchange, route: Route) -> None:
        media = exchange.media
        check = precondition(exchange.req, exchange.links)
        written = self._service.changing.delete(
            route.location, exchange.version, check, exchange.request
        )
        self._finished(exchange, media, written)

    def _post(self, exchange: Exchange, route: Route) -> None:
        """Create in a Collection, or change what it lists: the document says which."""
        media, location, links = exchange.media, route.location, exchange.links
        body, decoder = exchange.read_document()
        name = decoder.action_in(body) or route.name
        if route.name and name != route.name:
            raise BadRequest(f"the action is {name[:40]!r}; what was posted to is {route.name}",
                             reason="bad-action")  # fmt: skip
        offered = self._service.catalog.collection_operations(location)
        if (name or "add") not in offered:
            raise BadRequest(
                f"{name[:40] or 'add'} is not offered here; offered are {', '.join(offered)}",
                reason="not-offered",
            )
        self._check_present(exchange, route)
        changing, request = self._service.changing, exchange.request
        if name:
            document = decoder.decode_membership(body, location.type, name, links)
            change = changing.insert if name == "insert" else changing.remove
            done = change(location, exchange.version, document, request)
            self._finished(exchange, media, done)
            return
        wanted = decoder.decode_create(body, location.type, links)
        made = changing.create(location, exchange.version, wanted, request, links.parse)
        self._created(exchange, media, made)

    def _created(self, exchange: Exchange, media: str, made: Written) -> None:
        if not made.is_done or made.path is None:
            self._accepted(exchange, media, made)
            return
        path = made.path
        exchange.tell_job(made.job)
        exchange.resp.status = falcon.HTTP_201
        exchange.resp.set_header("Location", exchange.links.href(path))
        self._show(exchange, media, path)

    def _show(self, exchange: Exchange, media: str, path: str) -> None:
        """Show what was made or changed; another client may have deleted it already."""
        location = self._service.reader.locate(path, exchange.version)
        if location is not None:
            with suppress(NotFound):
                found = self._service.reader.read(location, exchange.version)
                exchange.send_tagged(media, found)

    def _check_present(self, exchange: Exchange, route: Route) -> None:
        """Hold what is there now against the conditions, where the use case takes no check."""
        if exchange.req.get_header("If-Match") or exchange.req.get_header("If-None-Match"):
            check = precondition(exchange.req, exchange.links)
            check(self._service.reader.read(route.location, exchange.version))

    def _act(self, exchange: Exchange, route: Route) -> None:
        """Carry out an action (DSP0263 4.2.1.5): 200 when it is done, 202 while it runs on."""
        location, links = route.location, exchange.links
        action = self._service.model[location.type].actions[route.name]
        exchange.req.context.action = (action.rel(exchange.version), location)
        media = exchange.media  # a failure must have a form the client takes
        body, decoder = exchange.read_document()
        if action.body != "Action" and decoder.action_in(body) is None:
            image = decoder.decode_create(body, action.body, links)
            self._check_present(exchange, route)
            self._created(exchange, media, self._service.changing.take_image(
                location, action.name, exchange.version, image, exchange.request
            ))  # fmt: skip
            return
        document = decoder.decode_action(body, action, links)
        if action.name == "connectvolume":
            self._check_present(exchange, route)
            done = self._service.changing.connect(
                location, exchange.version, document.parameters, exchange.request
            )
        else:
            check = precondition(exchange.req, links)
            done = self._service.actor.act(
                location, exchange.version, route.name, document.parameters, check,
                exchange.request,
            )  # fmt: skip
        self._finished(exchange, media, done)

    def _finished(self, exchange: Exchange, media: str, done: Written) -> None:
        """Answer for what leaves no representation behind but its Job: 200, or 202."""
        if done.is_done:
            self._send_job(exchange, media, done.job)
        else:
            self._accepted(exchange, media, done)

    def _accepted(self, exchange: Exchange, media: str, done: Written) -> None:
        """Answer that the work goes on (4.2.1.7): 202, with the Job if there is one."""
        exchange.resp.status = falcon.HTTP_202
        if done.path is not None:
            exchange.resp.set_header("Location", exchange.links.href(done.path))
        if done.job:
            self._send_job(exchange, media, done.job)

    def _send_job(self, exchange: Exchange, media: str, path: str) -> None:
        """Answer with the Job: of what leaves no resource behind, it is the representation."""
        exchange.tell_job(path)
        exchange.resp.set_header("Content-Location", exchange.links.href(path))
        location = self._service.reader.locate(path, exchange.version)
        if location is not None:
            with suppress(NotFound):
                exchange.send(media, self._service.reader.read(location, exchange.version))
