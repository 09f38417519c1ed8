"""Security headers of all answers and of the own pages."""

from __future__ import annotations

from collections.abc import Iterable

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=(), usb=()",
}
# For all that is no page: should a browser be talked into showing it, it runs nothing.
NO_PAGE_CSP = "default-src 'none'; frame-ancestors 'none'; sandbox"


def page_csp(extra: Iterable[str] = ()) -> str:
    """The policy of a page of ours: everything from here, nothing from elsewhere."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob: data:",
            "font-src 'self'",
            "connect-src 'self' blob:",
            "media-src 'self' blob:",
            "worker-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            *extra,
        )
    )
