"""The shared ground of the API: how rows are read, shown, written, withdrawn and explained.

A collection is a serializer and a viewset. The serializer declares the columns once; lists read them with
``values_list`` (no model instances, a constant number of queries) and go straight to orjson; writing goes through the
serializer's fields into `save_record`, so that API, form and admin say the same sentences.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from django.db import models, transaction
from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.pagination import BasePagination
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from lagpdb import exports, filters, paging
from lagpdb.columns import Column, Reader, columns_of, pick
from lagpdb.filters import Filter
from lagpdb.models import Revision
from lagpdb.problems import Problem, nearest
from lagpdb.records import Record, StaleVersion, in_trash, normal_code, restore, save_record, withdraw
from lagpdb.schema import Schema
from lagpdb.serializers import ReasonSerializer, RevisionSerializer, given_body

SAFE = ("GET", "HEAD")


class OneRenderer(BaseContentNegotiation):
    """Always JSON: ``?format=`` is ours (csv, parquet), and a browser's Accept header does not matter."""

    def select_parser(self, request: Any, parsers: list[Any]) -> Any:
        content_type = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == content_type), None)

    def select_renderer(self, request: Any, renderers: list[Any], format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class CursorPages(BasePagination):
    """What the schema says about pages; `Collection.list` does the work."""

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri", "description": "Absolute address; null at the end."}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {"name": name, "in": "query", "required": False, "schema": schema, "description": text}
            for name, schema, text in view.list_parameters()
        ]


class View:
    """Mixed into every view of the API: scope, one renderer, refusal of parameters that it does not know."""

    content_negotiation_class = OneRenderer
    metadata_class = None
    http_method_names: ClassVar[list[str]] = ["get", "head", "post", "patch"]
    schema = Schema()
    required_scope = ""  # set for each request: what a token must be allowed
    write_scope = "write"
    required_role = ""  # "" is the default: member, for what changes something
    parameters: tuple[str, ...] | None = None  # names that a request other than a list may carry

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Say which scope is needed before permissions are checked, and refuse unknown parameters after."""
        self.required_scope = "read" if request.method in SAFE else self.write_scope
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        if getattr(self, "action", "") != "list":
            known = self.parameters
            if known is None:
                known = ("fields", "format") if getattr(self, "action", "") == "retrieve" else ()
            for name in request.query_params:
                if name not in known:
                    raise filters.unknown(name, {}, known)


class Collection(View, GenericViewSet):
    """Read a collection: list, detail, sparse fields, filters, pages, CSV, Parquet."""

    serializer_class: ClassVar[Any]
    filter_backends = [filters.Declared]
    pagination_class = CursorPages
    lookup_field = "code"
    lookup_value_regex = "[^/]+"
    reserved: tuple[str, ...] = ("limit", "cursor", "ordering", "fields", "count", "format", "withdrawn")
    what = ""  # in sentences: 'pellet'

    # -- columns -------------------------------------------------------------------------------------------------------
    @property
    def columns(self) -> dict[str, Column]:
        """What rows show."""
        return columns_of(self.serializer_class)

    @classmethod
    def extra_filters(cls) -> dict[str, Filter]:
        """Filters beyond the columns: those through the genealogy."""
        return {}

    @property
    def filters(self) -> dict[str, Filter]:
        """All declared filters, made once per class."""
        cls = type(self)
        if "_filters" not in cls.__dict__:
            # A collection's own word on a name wins: it may know an index that the column alone does not.
            cls._filters = filters.of_columns(self.columns) | cls.extra_filters()  # type: ignore[attr-defined]
        return cls._filters  # type: ignore[attr-defined]

    def is_reserved(self, name: str, text: str) -> bool:
        """Whether a parameter is not a filter but steers the list."""
        return name in self.reserved

    def wanted(self) -> list[Column]:
        """Columns that ``fields`` asks for; all, without it."""
        text = self.request.query_params.get("fields")
        if text is None:
            is_list = self.action == "list"
            return [column for column in self.columns.values() if not (is_list and column.is_detail)]
        names = [name.strip() for name in text.split(",")]
        for name in names:
            if name not in self.columns:
                raise Problem(f"There is no field ‘{name}’ here.{nearest(name, self.columns)}", field="fields")
        return pick(self.columns, names)

    @cached_property
    def base_url(self) -> str:
        """Absolute address of the collection."""
        return str(self.request.build_absolute_uri(f"/api/v1/{self.basename}/"))

    # -- rows ----------------------------------------------------------------------------------------------------------
    def get_queryset(self) -> models.QuerySet:
        """What this person may see; in lists not what lies in the trash, unless ``withdrawn=true``."""
        queryset = self.serializer_class.Meta.model._default_manager.visible_to(self.request.user)
        if issubclass(queryset.model, Record) and self.action == "list" and not self._flag("withdrawn"):
            queryset = queryset.live()
        return queryset

    def _flag(self, name: str, default: bool = False) -> bool:
        text = self.request.query_params.get(name)
        try:
            return default if text is None else filters.flag(text)
        except ValueError as error:
            raise Problem(f"{name}={text}: {error}.", field=name) from None

    def list(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Rows that meet every filter: a page as JSON, or all as CSV or Parquet."""
        given = request.query_params
        format = exports.format_of(request)
        ordering = given.get("ordering", "")
        columns, keys = self.wanted(), paging.keys_of(ordering, self.columns)
        limit = paging.limit_of(given.get("limit") if self.is_reserved("limit", given.get("limit", "")) else None)
        queryset = self.filter_queryset(self.get_queryset())
        reader = Reader(columns, self.base_url, extra=[key.column for key in keys])
        headers = {"X-Total-Count": str(queryset.count())} if self._flag("count") else {}
        if format != "json":
            response = exports.table(self.basename, columns, reader.chunks(paging.ordered(queryset, keys)), format)
            for name, value in headers.items():
                response[name] = value
            return response
        page = paging.page_of(queryset, reader, keys, ordering, given.get("cursor"), limit)
        content = {
            "next": self._page_url(page.next),
            "previous": self._page_url(page.previous),
            "results": reader.rows(page.rows),
        }
        return Response(content, headers=headers)

    def _page_url(self, cursor: str | None) -> str | None:
        if cursor is None:
            return None
        query = self.request.query_params.copy()
        query["cursor"] = cursor
        return f"{self.request.build_absolute_uri(self.request.path)}?{query.urlencode()}"

    def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """One object."""
        exports.format_of(request, ("json",))
        return Response(self.shown(self.row().pk, self.wanted()))

    def row(self, lock: bool = False) -> Any:
        """The object that the address names, in any spelling of its code."""
        text = self.kwargs[self.lookup_url_kwarg or self.lookup_field]
        queryset = self.get_queryset()
        if lock:
            queryset = queryset.select_for_update()
        key = normal_code(text) if getattr(queryset.model, "PREFIX", "") else text
        try:
            return queryset.get(**{self.lookup_field: key})
        except (queryset.model.DoesNotExist, ValueError, OverflowError):
            raise Http404(f"There is no {self.what or queryset.model._meta.verbose_name} {text}.") from None

    def shown(self, pk: int, columns: list[Column] | None = None) -> dict[str, Any]:
        """One object as its detail page shows it."""
        reader = Reader(columns or list(self.columns.values()), self.base_url)
        queryset = self.serializer_class.Meta.model._default_manager.filter(pk=pk)
        return reader.rows(list(reader.fetch(queryset)))[0]

    def list_parameters(self) -> list[tuple[str, dict[str, Any], str]]:
        """Name, schema and meaning of the parameters that steer a list."""
        text = {"type": "string"}
        known: list[tuple[str, dict[str, Any], str]] = [
            ("limit", {"type": "integer", "minimum": 1, "maximum": paging.MAX_LIMIT}, "Rows per page, 100 without it."),
            ("cursor", text, "Place in the list; follow `next` as it was given."),
            (
                "ordering",
                text,
                "Columns, comma separated, `-` for falling; empty values last. Newest first without it.",
            ),
            ("fields", text, "Columns to show, comma separated."),
            ("count", {"type": "boolean"}, "`1` gives the number of rows in the header X-Total-Count."),
            (
                "format",
                {"type": "string", "enum": list(exports.FORMATS)},
                "`csv` and `parquet` stream all rows, unpaged.",
            ),
        ]
        if "withdrawn" in self.reserved and issubclass(self.serializer_class.Meta.model, Record):
            known.append(("withdrawn", {"type": "boolean"}, "`true` shows what lies in the trash, too."))
        return known


class Creates:
    """POST makes a record."""

    @extend_schema(operation_id=None)
    def create(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Make a record. Its code is given by the system where it has a prefix."""
        content, reason, _ = given_body(request, self.serializer_class, is_new=True)
        serializer = self.get_serializer(data=content)  # type: ignore[attr-defined]
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            record = self.make(serializer.validated_data, reason)
        content = self.shown(record.pk)  # type: ignore[attr-defined]
        return Response(content, status=201, headers={"Location": content["url"]})

    def make(self, values: dict[str, Any], reason: str) -> Record:
        """Create the record, inside a transaction."""
        model = self.serializer_class.Meta.model  # type: ignore[attr-defined]
        return save_record(model(**values), by=self.request.user, reason=reason)  # type: ignore[attr-defined]


class Changes:
    """PATCH changes a record; with `version` only if nobody else did meanwhile."""

    def partial_update(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Change the fields that are given. Send `version` back to be told (409) when somebody else was faster."""
        content, reason, version = given_body(request, self.serializer_class)
        self.sent = content | ({} if version is None else {"version": version})
        with transaction.atomic():
            record = self.row(lock=True)  # type: ignore[attr-defined]
            if record.withdrawn_at is not None:
                raise Problem(in_trash(record), 400, type="withdrawn")
            serializer = self.get_serializer(record, data=content, partial=True)  # type: ignore[attr-defined]
            serializer.is_valid(raise_exception=True)
            self.change(record, serializer.validated_data, reason, version)
        return Response(self.shown(record.pk))  # type: ignore[attr-defined]

    def change(self, record: Any, values: dict[str, Any], reason: str, version: int | None) -> None:
        """Apply and save, inside a transaction that holds the row."""
        for name, value in values.items():
            setattr(record, name, value)
        save_record(record, by=self.request.user, reason=reason, version=version)  # type: ignore[attr-defined]

    def both_versions(self, exc: StaleVersion) -> dict[str, Any]:
        """What stands beside a 409: the record as it is, and what was sent."""
        return {"stored": self.shown(exc.stored.pk), "yours": self.sent}  # type: ignore[attr-defined]


class Keeps:
    """Trash and history of every record."""

    @extend_schema(request=ReasonSerializer, summary="Put it into the trash, with everything that hangs on it")
    @action(detail=True, methods=["post"], write_scope="write")
    def withdraw(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Nothing is deleted: the record and what hangs on it leave the lists, with your reason."""
        return self._moved(request, withdraw)

    @extend_schema(request=ReasonSerializer, summary="Take it out of the trash")
    @action(detail=True, methods=["post"], write_scope="write", required_role="curator")
    def restore(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Brings back what was withdrawn together with it, too."""
        return self._moved(request, restore)

    def _moved(self, request: Any, verb: Any) -> Response:
        sent = ReasonSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        with transaction.atomic():
            record = self.row(lock=True)  # type: ignore[attr-defined]
            if verb is withdraw and record.withdrawn_at is not None:
                raise Problem(f"{record.code} is in the trash already.", 400, type="withdrawn")
            family = verb(record, by=request.user, reason=sent.validated_data["reason"])
        return Response(self.shown(record.pk) | {"moved": [member.code for member in family]})  # type: ignore[attr-defined]

    @extend_schema(responses=RevisionSerializer(many=True), filters=False, summary="Who changed what, when and why")
    @action(detail=True, methods=["get"])
    def history(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Newest first, each change as field to [old, new]."""
        record = self.row()  # type: ignore[attr-defined]
        kept = Revision.objects.filter(record_type=record._meta.label_lower, record_id=record.pk)
        reader = Reader(list(columns_of(RevisionSerializer).values()), "")
        rows = list(reader.fetch(kept.order_by("-id")))
        return Response({"next": None, "previous": None, "results": reader.rows(rows)})


class ReadRecords(Keeps, Collection):
    """A collection of records that other doors make."""


class Records(Creates, Changes, Keeps, Collection):
    """A collection of records with everything: list, detail, create, change, trash, history."""
