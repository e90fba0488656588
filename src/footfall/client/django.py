"""Middleware for Django, with or without async: ``footfall.client.django.FootfallMiddleware`` in ``MIDDLEWARE``."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from footfall.client.middleware import Visits
from footfall.client.rules import Options
from footfall.client.wsgi import read
from footfall.errors import FootfallError


class FootfallMiddleware:
    """Counts the requests that Django answers. ``settings.FOOTFALL`` has ``COUNTER``, and options in capitals.

    Args:
        get_response: What answers.

    Raises:
        ImproperlyConfigured: If the settings say nothing, or what cannot be.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        self._visits = _visits()
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Answer as Django does."""
        if iscoroutinefunction(self):
            return self._answer(request)
        response = self._get_response(request)
        self._count(request, response)
        return response

    async def _answer(self, request: Any) -> Any:
        response = await self._get_response(request)
        self._count(request, response)
        return response

    def _count(self, request: Any, response: Any) -> None:
        if self._visits.rules.may_count(request.method, request.path):
            self._visits.take(response.status_code, partial(read, self._visits, request.META, request.path))


def _visits() -> Visits:
    options = {name.lower(): value for name, value in getattr(settings, "FOOTFALL", {}).items()}
    if "counter" not in options:
        raise ImproperlyConfigured('settings.FOOTFALL names no counter; write FOOTFALL = {"COUNTER": "shop"}')
    counter = options.pop("counter")
    try:
        return Visits(counter, cast("Options", options))
    except (FootfallError, TypeError) as error:
        raise ImproperlyConfigured(f"settings.FOOTFALL: {error}") from None
