"""Security headers of all answers, and of the service's pages."""

from __future__ import annotations

from collections.abc import Iterable

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=(), usb=()",
}
# For answers that are not pages: if a browser shows one anyway, it runs nothing.
NO_PAGE_CSP = "default-src 'none'; frame-ancestors 'none'; sandbox"


def page_csp(extra: Iterable[str] = ()) -> str:
    """The policy of the service's pages: they load everything from here and nothing from elsewhere."""
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
