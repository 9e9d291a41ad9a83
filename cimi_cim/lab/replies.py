"""CIM-XML replies around what a backend rendered (DSP0201)."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from cimi_cim.lab.backend import CimError, IntrinsicCall, Reply
from cimi_cim.lab.requests import Request


def render_reply(request: Request, reply: Reply | CimError) -> list[bytes]:
    """Return the pieces of the reply document, in order, as the backend gave them."""
    return list(_pieces(request, reply))


def _pieces(request: Request, reply: Reply | CimError) -> Iterator[bytes]:
    call = request.call
    if isinstance(call, IntrinsicCall):
        response, returned, name = "IMETHODRESPONSE", "IRETURNVALUE", call.operation
    else:
        response, returned, name = "METHODRESPONSE", "RETURNVALUE", call.method
    yield (
        '<?xml version="1.0" encoding="utf-8" ?>\n<CIM CIMVERSION="2.0" DTDVERSION="2.0">'
        f'<MESSAGE ID={quoteattr(request.message_id)} PROTOCOLVERSION="1.0">'
        f"<SIMPLERSP><{response} NAME={quoteattr(name)}>"
    ).encode()
    if isinstance(reply, CimError):
        description = quoteattr(reply.description)
        yield f'<ERROR CODE="{reply.code}" DESCRIPTION={description}/>'.encode()
    else:
        if reply.fragments is not None:
            is_method = returned == "RETURNVALUE"
            kind = f' PARAMTYPE="{reply.return_type}"' if is_method else ""
            yield f"<{returned}{kind}>".encode()
            yield from reply.fragments
            yield f"</{returned}>".encode()
        yield from reply.out
    yield f"</{response}></SIMPLERSP></MESSAGE></CIM>\n".encode()
