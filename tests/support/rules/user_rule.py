"""The rule of sql/, judged with PostgreSQL's own grammar: every table is met with `WHERE user_id = %s`.

`breaches` names everything about a statement that is not so, and what to write instead. It reads
the parsed tree, never the text, and what it does not know it refuses: a form that nobody has
thought about yet needs a thought, and a line here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pglast
from pglast import ast
from pglast.enums import A_Expr_Kind, BoolExprType, OnConflictAction
from pglast.parser import ParseError

from support.rules.statement_header import parameters
from todo_api.database.statements import USER, compile_statement

# Tables of the schema, and whether they have a user_id; a test holds this against the catalogue.
TABLES = {
    "users": True,
    "sessions": True,
    "api_tokens": True,
    "tasks": True,
    "task_counts": True,
    "deleted_tasks": True,
    "idempotency_keys": True,
    "batch_results": True,
    "sign_in_networks": True,
    "auth_events": True,
    "reset_codes": True,
    "invites": False,
    "rate_limits": False,
    "housekeeping": False,
    "applied_migrations": False,
}

_OPENS_OR_ENDS = (ast.TransactionStmt, ast.VariableSetStmt)


def breaches(name: str, source: str) -> list[str]:
    """What is wrong with a file of sql/, a line each; nothing for a good one."""
    try:
        statement = compile_statement(name, source)
    except ValueError as error:
        return [str(error)]
    try:
        parsed = pglast.parse_sql(statement.text)
    except ParseError as error:
        return [f"PostgreSQL does not understand it: {error.args[0]}"]
    if len(parsed) != 1:
        return [f"{len(parsed)} statements: give each a file of its own"]
    tree = parsed[0].stmt
    if isinstance(tree, _OPENS_OR_ENDS) and name.startswith("before_sign_in/"):
        return []  # it has nothing to do with any table
    if not isinstance(tree, ast.SelectStmt | ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt):
        return [f"{type(tree).__name__}: only SELECT, INSERT, UPDATE and DELETE are judged here"]
    found = [
        *_parameters(source, set(statement.parameters) - {USER}),
        *_unnamed_columns(tree),
        *_writes_of_user_id(tree),
    ]
    if not name.startswith("before_sign_in/"):
        number = statement.parameters.index(USER) + 1
        found += _Judge(number, _with_names(tree)).judge(tree)
    return list(dict.fromkeys(found))


def opens_or_ends(text: str) -> bool:
    """Whether it is BEGIN, SET or COMMIT: it meets no table, and is of no use inside a test's transaction."""
    return isinstance(pglast.parse_sql(text)[0].stmt, _OPENS_OR_ENDS)


def walk(node: Any) -> Iterator[Any]:
    """A node of the tree and all below it."""
    if isinstance(node, tuple | list):
        for one in node:
            yield from walk(one)
    elif isinstance(node, ast.Node):
        yield node
        for attribute in node:
            yield from walk(getattr(node, attribute))


def _parameters(source: str, used: set[str]) -> Iterator[str]:
    try:
        documented = set(parameters(source))
    except ValueError as error:
        yield str(error)
        return
    for name in sorted(documented - used):
        yield f"%({name})s: in the header, but not used; take it out of one or into the other"
    for name in sorted(used - documented):
        yield f"%({name})s: used, but not in the header; say there what it is"


def _with_names(tree: Any) -> set[str]:
    return {node.ctename for node in walk(tree) if isinstance(node, ast.CommonTableExpr)}


def _unnamed_columns(tree: Any) -> Iterator[str]:
    for node in walk(tree):
        if isinstance(node, ast.A_Star):
            yield "`*`: name the columns, so that a new one is not handed out by accident"
        if isinstance(node, ast.InsertStmt) and not node.cols:
            yield f"INSERT INTO {node.relation.relname}: name the columns that it fills"


def _writes_of_user_id(tree: Any) -> Iterator[str]:
    for node in walk(tree):
        if isinstance(node, ast.UpdateStmt | ast.OnConflictClause):
            for target in node.targetList or ():
                if target.name == "user_id":
                    yield "SET user_id: a row never changes its owner; take it out"


@dataclass
class _Judge:
    """Judges each SELECT, INSERT, UPDATE and DELETE of one statement by itself."""

    user: int  # the number of %s
    local: set[str]  # the names of its WITH
    found: list[str] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)  # tables that a block has answered for
    rules: set[int] = field(default_factory=set)  # uses of %s that are the rule

    def judge(self, tree: Any) -> list[str]:
        for name in self.local & TABLES.keys():
            self.found.append(f"WITH {name}: it hides the table of that name; choose another")
        nodes = list(walk(tree))
        answered = {id(node) for node in _parts(tree)}
        for node in nodes:
            if isinstance(node, ast.SelectStmt):
                outermost = id(node) in answered
                self._block("SELECT", node.fromClause, node.whereClause, outermost=outermost)
            elif isinstance(node, ast.UpdateStmt):
                self._block("UPDATE", (node.relation, *(node.fromClause or ())), node.whereClause)
            elif isinstance(node, ast.DeleteStmt):
                self._block("DELETE", (node.relation, *(node.usingClause or ())), node.whereClause)
            elif isinstance(node, ast.InsertStmt):
                self._insert(node)
            elif isinstance(node, ast.MergeStmt):
                self.found.append("MERGE: not judged here; write INSERT … ON CONFLICT")
        for node in nodes:
            if isinstance(node, ast.RangeVar) and id(node) not in self.seen:
                self.found.append(
                    f"{node.relname}: stands where its WHERE can't be judged; move it"
                )
            is_user = isinstance(node, ast.ParamRef) and node.number == self.user
            if is_user and id(node) not in self.rules:
                self.found.append("%s: only ever in `WHERE user_id = %s`; name another value")
        return self.found

    def _block(self, kind: str, sources: Any, where: Any, *, outermost: bool = False) -> None:
        """A block's own tables have to be held by the block's own WHERE."""
        tables, alone = self._tables(sources or ())
        for table in tables:
            held = self._is_held(table, alone, where)
            local = table.relname in self.local and not table.schemaname
            # A WITH was judged where it stands; only what is answered with has to say so again.
            judged = outermost if local else self._known(table)
            if judged and not held:
                column = "user_id" if alone else f"{_alias(table)}.user_id"
                self.found.append(
                    f"{kind} of {table.relname}: its own WHERE needs `{column} = %s`, joined by AND"
                )

    def _tables(self, sources: Any) -> tuple[list[Any], bool]:
        """The tables that a block reads from or writes to, and whether user_id can be one's only."""
        tables, others = [], 0
        left = list(sources)
        while left:
            source = left.pop(0)
            if isinstance(source, ast.JoinExpr):
                left += [source.larg, source.rarg]
            elif isinstance(source, ast.RangeVar):
                self.seen.add(id(source))
                tables.append(source)
            elif not isinstance(source, ast.RangeFunction):
                # A sub-select is a block of its own; whatever else holds a table judge() refuses.
                # (Where a function had a user_id too, PostgreSQL would call the name ambiguous.)
                others += 1
        return tables, len(tables) + others == 1

    def _is_held(self, table: Any, alone: bool, where: Any) -> bool:
        return any(self._is_rule(one, _alias(table), alone) for one in _all_of(where))

    def _known(self, table: Any) -> bool:
        """Whether it is a table with users' rows; one that nobody has listed is a breach."""
        if table.relname not in TABLES or table.schemaname:
            shown = ".".join(filter(None, (table.schemaname, table.relname)))
            self.found.append(f"{shown}: not a table of the schema, by its bare name")
            return False
        return TABLES[table.relname]

    def _is_rule(self, condition: Any, alias: str, alone: bool) -> bool:
        """Whether it reads `user_id = %s`, of this table."""
        is_rule = (
            isinstance(condition, ast.A_Expr)
            and condition.kind == A_Expr_Kind.AEXPR_OP
            and [part.sval for part in condition.name] == ["="]
            and isinstance(condition.lexpr, ast.ColumnRef)
            and _is_user_id(condition.lexpr, alias, alone)
            and isinstance(condition.rexpr, ast.ParamRef)
            and condition.rexpr.number == self.user
        )
        if is_rule:
            self.rules.add(id(condition.rexpr))
        return is_rule

    def _insert(self, node: Any) -> None:
        """A new row's owner comes from a SELECT that is held to the rule itself, so that it exists."""
        self.seen.add(id(node.relation))
        target = node.relation.relname
        if not self._known(node.relation):
            return
        columns = [column.name for column in node.cols or ()]
        source = node.selectStmt
        if not (isinstance(source, ast.SelectStmt) and source.fromClause and source.targetList):
            self.found.append(
                f"INSERT INTO {target}: write INSERT … SELECT user_id, … FROM users "
                "WHERE user_id = %s, so that the owner must exist"
            )
        elif "user_id" not in columns:
            self.found.append(f"INSERT INTO {target}: it has to fill user_id")
        else:
            owner = source.targetList[columns.index("user_id")].val
            tables, alone = self._tables(source.fromClause)
            if not any(
                _is_user_id(owner, _alias(table), alone)
                and self._is_held(table, alone, source.whereClause)
                for table in tables
            ):
                self.found.append(
                    f"INSERT INTO {target}: its user_id has to come from a table or WITH that the "
                    "SELECT's own WHERE holds to `user_id = %s`"
                )
        conflict = node.onConflictClause
        if conflict and conflict.action == OnConflictAction.ONCONFLICT_UPDATE:
            keys = [key.name for key in conflict.infer.indexElems or ()] if conflict.infer else []
            if "user_id" not in keys:
                self.found.append(
                    f"INSERT INTO {target}: ON CONFLICT has to name user_id, "
                    "or it could update another user's row"
                )


def _parts(tree: Any) -> Iterator[Any]:
    """The statement or, of a UNION, what it is made of: all that is answered with."""
    yield tree
    for side in (getattr(tree, "larg", None), getattr(tree, "rarg", None)):
        if side is not None:
            yield from _parts(side)


def _all_of(where: Any) -> Iterator[Any]:
    """The conditions that have to hold altogether."""
    if isinstance(where, ast.BoolExpr) and where.boolop == BoolExprType.AND_EXPR:
        for part in where.args:
            yield from _all_of(part)
    elif where is not None:
        yield where


def _alias(table: Any) -> str:
    return table.alias.aliasname if table.alias else table.relname  # type: ignore[no-any-return]


def _is_user_id(column: Any, alias: str, alone: bool) -> bool:
    if not isinstance(column, ast.ColumnRef):
        return False
    path = [getattr(part, "sval", "*") for part in column.fields]
    return path == [alias, "user_id"] or (alone and path == ["user_id"])
