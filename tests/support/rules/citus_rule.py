"""Can a migration be applied to a database that Citus distributes? Judged with PostgreSQL's own grammar.

`refused` names what Citus refuses, with what to write instead; tests/citus asks a cluster. It does not look
into the body of DO or PL/pgSQL. What Citus takes: columns with any default, generated ones too, named
CHECKs, indexes, foreign keys to users, grants, functions, types, roles, renamed columns, policies without a
sub-select.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pglast
from pglast import ast
from pglast.enums import AlterTableType as Change
from pglast.enums import ConstrType, ObjectType
from pglast.visitors import Visitor

# Ordinary tables of the coordinator, although they have a user_id: the rule does not hold for them.
ORDINARY = {"auth_events"}
_CHANGES = {
    Change.AT_AddColumn,
    Change.AT_DropColumn,
    Change.AT_ColumnDefault,
    Change.AT_SetNotNull,
    Change.AT_DropNotNull,
    Change.AT_AlterColumnType,
    Change.AT_AddConstraint,
    Change.AT_DropConstraint,
    Change.AT_ValidateConstraint,
    Change.AT_SetRelOptions,
    Change.AT_ResetRelOptions,
    Change.AT_ChangeOwner,
    Change.AT_ReplicaIdentity,
    Change.AT_EnableRowSecurity,
    Change.AT_DisableRowSecurity,
    Change.AT_ForceRowSecurity,
    Change.AT_NoForceRowSecurity,
}
_NAMED = {
    ConstrType.CONSTR_CHECK,
    ConstrType.CONSTR_UNIQUE,
    ConstrType.CONSTR_PRIMARY,
    ConstrType.CONSTR_FOREIGN,
}
_UNIQUE = {ConstrType.CONSTR_UNIQUE, ConstrType.CONSTR_PRIMARY, ConstrType.CONSTR_EXCLUSION}
_IN = {"i", "b", "v", "d"}  # the modes of what a function is given
_SERIAL = {"smallserial", "serial", "bigserial", "serial2", "serial4", "serial8"}


def refused(sources: Mapping[str, str], name: str) -> list[str]:
    """What Citus refuses in the file `name`; `sources` are that file and those before it."""
    judge = _Judge()
    for earlier, source in sources.items():
        if earlier != name:
            judge.learn(source)
    return list(dict.fromkeys(judge.judge(sources[name])))


class _Judge:
    def __init__(self) -> None:
        self.distributed = {"users"}  # tables of users that the file finds there
        self.new: set[str] = set()  # those that it makes

    def learn(self, source: str) -> None:
        """Remember the tables that a file makes."""
        for one in pglast.parse_sql(source):
            if isinstance(one.stmt, ast.CreateStmt) and _is_of_users(one.stmt):
                self.distributed.add(one.stmt.relation.relname)

    def judge(self, source: str) -> Iterator[str]:
        for one in pglast.parse_sql(source):
            yield from self._judge(one.stmt)

    def _judge(self, tree: Any) -> Iterator[str]:
        table = _table(tree)
        if isinstance(tree, ast.CreateStmt):
            if not _is_of_users(tree):
                return
            self.new.add(table)
            for element in tree.tableElts or ():
                if isinstance(element, ast.ColumnDef):
                    yield from self._column(table, element)
                else:
                    yield from self._constraint(table, element)
        elif isinstance(tree, ast.CreateFunctionStmt):
            yield from self._function(tree)
        elif table not in self.distributed | self.new:
            if table in ORDINARY and any(_adds_foreign_key(tree)):
                yield f"{table}: by a foreign key it would become a table of Citus"
        elif isinstance(tree, ast.CreatePolicyStmt | ast.AlterPolicyStmt):
            if isinstance(tree, ast.CreatePolicyStmt) and not tree.permissive:
                yield f"{table}: a RESTRICTIVE policy, which would be a permissive one on the workers"
            if _has_subselect(tree):
                yield (
                    f"{table}: a sub-select in a policy; write "
                    "user_id = nullif(current_setting('app.user_id', true), '')::uuid"
                )
        elif isinstance(tree, ast.CreateTrigStmt):
            yield f"{table}: a trigger"
        elif isinstance(tree, ast.IndexStmt):
            columns = {one.name for one in tree.indexParams}
            if tree.unique and table != "users" and "user_id" not in columns:
                yield f"{table}: unique without user_id"
        elif isinstance(tree, ast.RenameStmt):
            if tree.renameType == ObjectType.OBJECT_TABCONSTRAINT:
                yield f"{table}: a constraint can't be renamed; drop it, and add it by its new name"
        elif isinstance(tree, ast.AlterTableStmt):
            yield from self._alter(table, tree)
        elif isinstance(tree, ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt):
            yield f"{table}: rows are changed outside the migrations (migrations/README.md)"

    def _alter(self, table: str, tree: Any) -> Iterator[str]:
        kinds = [one.subtype for one in tree.cmds]
        if len(kinds) > 1 and Change.AT_AddConstraint in kinds:
            yield f"{table}: ADD CONSTRAINT stands in an ALTER TABLE of its own"
        for one in tree.cmds:
            if one.subtype not in _CHANGES:
                yield f"{table}: {Change(one.subtype).name.removeprefix('AT_')} is not supported"
            elif one.subtype == Change.AT_AddColumn:
                yield from self._column(table, one.def_)
            elif one.subtype == Change.AT_AddConstraint:
                yield from self._constraint(table, one.def_)

    def _function(self, tree: Any) -> Iterator[str]:
        given = {option.defname: option.arg for option in tree.options}
        arguments = {one.name for one in tree.parameters or () if one.mode.value in _IN}
        if given["language"].sval != "sql" or not arguments or "as" not in given:
            return
        body = pglast.parse_sql(given["as"][0].sval)
        spread = _named(body, ast.RangeVar) & (self.distributed | self.new) - {"users"}
        if (
            spread
            and _named(body, ast.ColumnRef) & arguments
            and not _is_of_one_user(body, arguments)
        ):
            names = ", ".join(sorted(spread))
            yield f"{names}: a parameter in an SQL function over all users; write PL/pgSQL"

    def _column(self, table: str, column: Any) -> Iterator[str]:
        kind = column.typeName.names[-1].sval
        constraints = column.constraints or ()
        counted = any(
            one.contype == ConstrType.CONSTR_IDENTITY or _calls_nextval(one) for one in constraints
        )
        if kind in _SERIAL or counted:
            yield f"{table}: {column.colname} counts; take a uuid"
        for one in constraints:
            if one.contype in _NAMED:
                yield from self._constraint(table, one, [column.colname])

    def _constraint(
        self, table: str, one: Any, of_column: list[str] | None = None
    ) -> Iterator[str]:
        if not one.conname:
            yield f"{table}: a constraint without a name"
        keys = of_column or [key.sval for key in one.keys or ()]
        keys += [element[0].name for element in one.exclusions or ()]
        if (
            one.contype in _UNIQUE
            and not one.indexname
            and table != "users"
            and "user_id" not in keys
        ):
            yield f"{table}: unique without user_id"
        if one.contype != ConstrType.CONSTR_FOREIGN:
            return
        to, here = one.pktable.relname, of_column or [key.sval for key in one.fk_attrs]
        if to != "users" and (table in self.new or to not in self.distributed or table == "users"):
            yield f"{table}: a foreign key to {to}: when the file runs, one of them is not distributed"
        if "user_id" in here and one.fk_del_action in ("n", "d"):
            yield f"{table}: ON DELETE SET NULL or SET DEFAULT with user_id in the foreign key"


def _table(tree: Any) -> str:
    for attribute in ("relation", "table"):
        found = getattr(tree, attribute, None)
        if isinstance(found, ast.RangeVar):
            return str(found.relname)
    return ""


def _is_of_users(tree: Any) -> bool:
    columns = {one.colname for one in tree.tableElts or () if isinstance(one, ast.ColumnDef)}
    return "user_id" in columns and tree.relation.relname not in ORDINARY


def _adds_foreign_key(tree: Any) -> Iterator[bool]:
    for one in tree.cmds if isinstance(tree, ast.AlterTableStmt) else ():
        if isinstance(one.def_, ast.Constraint):
            yield one.def_.contype == ConstrType.CONSTR_FOREIGN
        elif isinstance(one.def_, ast.ColumnDef):
            yield any(c.contype == ConstrType.CONSTR_FOREIGN for c in one.def_.constraints or ())


def _named(tree: Any, kind: type) -> set[str]:
    """The last name of each table, or column, in a tree."""
    found = set()

    class Find(Visitor):  # type: ignore[misc]
        def visit_RangeVar(self, ancestors: Any, node: Any) -> None:  # noqa: N802 (pglast's name)
            if kind is ast.RangeVar:
                found.add(node.relname)

        def visit_ColumnRef(self, ancestors: Any, node: Any) -> None:  # noqa: N802 (pglast's name)
            if kind is ast.ColumnRef and isinstance(node.fields[-1], ast.String):
                found.add(node.fields[-1].sval)

    Find()(tree)
    return found


def _is_of_one_user(tree: Any, arguments: set[str]) -> bool:
    """Whether a user_id is compared with an argument: then one worker is asked."""
    found = []

    class Find(Visitor):  # type: ignore[misc]
        def visit_A_Expr(self, ancestors: Any, node: Any) -> None:  # noqa: N802 (pglast's name)
            if node.name[-1].sval == "=":
                sides = [_named(side, ast.ColumnRef) for side in (node.lexpr, node.rexpr) if side]
                found.append({"user_id"} in sides and any(side & arguments for side in sides))

    Find()(tree)
    return any(found)


def _has_subselect(tree: Any) -> bool:
    found = []

    class Find(Visitor):  # type: ignore[misc]
        def visit_SubLink(self, ancestors: Any, node: Any) -> None:  # noqa: N802 (pglast's name)
            found.append(node)

    Find()(tree)
    return bool(found)


def _calls_nextval(constraint: Any) -> bool:
    called = getattr(constraint.raw_expr, "funcname", None)
    return bool(called) and called[-1].sval == "nextval"
