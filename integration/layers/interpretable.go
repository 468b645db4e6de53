// Package layers proves the layers of the project: who may import whom, and that the code which Traefik interprets
// contains nothing that Yaegi cannot run.
package layers

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Interpretable reports what compiles and yet fails, or does something else, in Yaegi 0.16.1. Yaegi's own messages come
// late and say little ("nil type"), and for half of these there is none. Each case is in testdata/src/interpreted.
//
// Files named *_native_test.go are not interpreted and not looked at.
//
// Differences that are left to the interpreted tests are in docs/contributing.md, with all that are found here.
var Interpretable = &analysis.Analyzer{
	Name: "interpretable",
	Doc:  "report what Yaegi 0.16.1 cannot run as Go does",
	Run:  run,
}

// generics are the generic functions of the standard library that Yaegi knows.
var generics = map[string]bool{
	"cmp.Compare": true, "cmp.Less": true,
	"slices.Contains": true, "slices.ContainsFunc": true, "slices.Index": true, "slices.IndexFunc": true,
}

// codecs are the methods of own types that the standard library does not find behind a value it is given: never when
// decoding, and only for the outermost value when encoding.
var codecs = map[string]bool{
	"MarshalJSON": true, "MarshalText": true, "UnmarshalJSON": true, "UnmarshalText": true,
}

func run(pass *analysis.Pass) (any, error) {
	if strings.HasSuffix(pass.Pkg.Path(), ".test") { // the generated main of a test
		return nil, nil
	}
	known, err := interpretedSymbols()
	if err != nil {
		return nil, err
	}
	for _, file := range pass.Files {
		name := pass.Fset.File(file.Pos()).Name()
		if strings.HasSuffix(name, "_native_test.go") {
			continue
		}
		l := linter{pass: pass, known: known, loopVars: map[types.Object]bool{}}
		ast.PreorderStack(file, nil, l.node)
	}
	return nil, nil
}

type linter struct {
	pass     *analysis.Pass
	known    map[string]bool       // of the standard library
	loopVars map[types.Object]bool // of the loops met so far
}

// node checks n, whose ancestors are in stack, the file first.
func (l *linter) node(n ast.Node, stack []ast.Node) bool {
	l.traps(n, stack)
	l.interfaces(n, stack)
	switch n := n.(type) {
	case *ast.FuncDecl:
		l.method(n)
	case *ast.FuncType:
		if n.TypeParams != nil {
			l.report(n.TypeParams, "a generic function: write one for each type")
		}
	case *ast.TypeSpec:
		if n.TypeParams != nil {
			l.report(n.TypeParams, "a generic type: write one for each type")
		}
	case *ast.Ident:
		l.use(n, stack)
	case *ast.ForStmt:
		if init, ok := n.Init.(*ast.AssignStmt); ok {
			l.addLoopVars(init.Lhs...)
		}
	case *ast.RangeStmt:
		l.rangeOver(n)
	case *ast.SwitchStmt:
		l.conditions(n)
	case *ast.TypeSwitchStmt:
		l.typeSwitch(n)
	case *ast.AssignStmt:
		l.assign(n, stack)
	case *ast.UnaryExpr:
		if id, ok := ast.Unparen(n.X).(*ast.Ident); ok && n.Op == token.AND && l.loopVars[l.pass.TypesInfo.Uses[id]] {
			l.report(n, "the address of loop variable %s, which all rounds share: copy it first", id.Name)
		}
	case *ast.SelectStmt:
		l.report(n, "goroutines that are at the same select get what others wait for: use core/await")
	}
	return true
}

func (l *linter) report(at ast.Node, format string, args ...any) {
	l.pass.ReportRangef(at, "Yaegi cannot run this: "+format, args...)
}

func (l *linter) method(f *ast.FuncDecl) {
	switch {
	case f.Recv == nil:
	case codecs[f.Name.Name]:
		l.report(f.Name, "%s of an own type is not called: use plain types and convert", f.Name.Name)
	case f.Name.Name == "Error" && f.Type.Params.NumFields() == 0:
		l.report(f.Name, "an own error type: errors.Is, errors.As, errors.Join and %%w fail on it; "+
			"wrap a sentinel made by errors.New")
	}
}

// use checks what the identifier stands for.
func (l *linter) use(id *ast.Ident, stack []ast.Node) {
	object := l.pass.TypesInfo.Uses[id]
	if l.isUnknown(object) {
		l.report(id, "%s is not in the standard library that it knows, which is that of Go 1.22", qualified(object))
	}
	switch object := object.(type) {
	case *types.Builtin:
		if name := object.Name(); name == "min" || name == "max" || name == "clear" {
			l.report(id, "builtin %s: write it out", name)
		}
	case *types.Func, *types.TypeName:
		if name := qualified(object); isGeneric(object) && isStandard(object.Pkg()) && !generics[name] {
			l.report(id, "%s is generic: write it out, or use sort, sync/atomic.Value, ...", name)
		}
	case *types.Var:
		if l.loopVars[object] && keptBeyondRound(l.pass.TypesInfo, object, stack) {
			l.report(id, "loop variable %s in a function literal, shared by all rounds: copy it first (%s := %[1]s)",
				id.Name, id.Name)
		}
	}
}

func (l *linter) rangeOver(loop *ast.RangeStmt) {
	switch t := l.pass.TypesInfo.TypeOf(loop.X).Underlying().(type) {
	case *types.Basic:
		if t.Info()&types.IsInteger != 0 {
			l.report(loop.X, "range over an integer: write the loop with three clauses")
		}
	case *types.Signature:
		l.report(loop.X, "range over a function: call it")
	case interface{ Elem() types.Type }: // slices, arrays and maps; of channels themselves there is no value variable
		if _, channels := t.Elem().Underlying().(*types.Chan); channels && loop.Value != nil {
			l.report(loop.X, "range over channels panics: range over the indexes or keys")
		}
	}
	if loop.Tok == token.DEFINE {
		l.addLoopVars(loop.Key, loop.Value)
	}
}

func (l *linter) addLoopVars(vars ...ast.Expr) {
	for _, v := range vars {
		if id, ok := v.(*ast.Ident); ok && l.pass.TypesInfo.Defs[id] != nil {
			l.loopVars[l.pass.TypesInfo.Defs[id]] = true
		}
	}
}

// conditions reports a case of several conditions, of which Yaegi may see only some.
func (l *linter) conditions(s *ast.SwitchStmt) {
	for _, clause := range s.Body.List {
		if list := clause.(*ast.CaseClause).List; s.Tag == nil && len(list) > 1 {
			l.report(list[1], "several conditions in a case: join them with ||")
		}
	}
}

// typeSwitch reports a case for an own concrete type on a value of a type that is not our own interface.
func (l *linter) typeSwitch(s *ast.TypeSwitchStmt) {
	var operand ast.Expr
	ast.Inspect(s.Assign, func(n ast.Node) bool {
		if assertion, ok := n.(*ast.TypeAssertExpr); ok {
			operand = assertion.X
		}
		return operand == nil
	})
	if named, ok := types.Unalias(l.pass.TypesInfo.TypeOf(operand)).(*types.Named); ok && l.own(named.Obj()) {
		return
	}
	for _, clause := range s.Body.List {
		for _, expr := range clause.(*ast.CaseClause).List {
			t := l.pass.TypesInfo.TypeOf(expr)
			if pointer, ok := t.(*types.Pointer); ok {
				t = pointer.Elem()
			}
			if named, ok := types.Unalias(t).(*types.Named); ok && l.own(named.Obj()) && !types.IsInterface(t) {
				l.report(expr, "a case for own type %s matches nothing unless an own interface type is switched on; "+
					"x.(T) works", named.Obj().Name())
			}
		}
	}
}

func (l *linter) assign(a *ast.AssignStmt, stack []ast.Node) {
	if a.Tok != token.ASSIGN {
		return
	}
	for _, value := range a.Rhs {
		if len(a.Rhs) > 1 && l.pass.TypesInfo.Types[value].IsNil() {
			l.report(value, "nil in an assignment of several values panics: assign one by one")
		}
	}
	for _, target := range a.Lhs {
		id, ok := target.(*ast.Ident)
		if !ok || !inDeferred(stack) || !l.namedResult(l.pass.TypesInfo.Uses[id], stack) {
			continue
		}
		if _, isStruct := l.pass.TypesInfo.TypeOf(id).Underlying().(*types.Struct); isStruct || len(a.Lhs) > 1 {
			l.report(id, "result %s set by a deferred function is lost after a panic if it is a struct, or one of several "+
				"assigned at once: set fields or single values", id.Name)
		}
	}
}

// namedResult tells whether object is a result of a function in stack.
func (l *linter) namedResult(object types.Object, stack []ast.Node) bool {
	for _, n := range stack {
		var results *ast.FieldList
		switch n := n.(type) {
		case *ast.FuncDecl:
			results = n.Type.Results
		case *ast.FuncLit:
			results = n.Type.Results
		}
		if object != nil && results != nil && results.Pos() <= object.Pos() && object.Pos() < results.End() {
			return true
		}
	}
	return false
}

func (l *linter) own(name *types.TypeName) bool {
	return name.Pkg() != nil && (name.Pkg() == l.pass.Pkg || !isStandard(name.Pkg()))
}

// inDeferred tells whether the innermost function of stack is a deferred function literal.
func inDeferred(stack []ast.Node) bool {
	for i := len(stack) - 1; i >= 2; i-- {
		if _, ok := stack[i].(*ast.FuncLit); ok {
			_, deferred := stack[i-2].(*ast.DeferStmt)
			return deferred
		}
	}
	return false
}

// keptBeyondRound tells whether the use of a loop variable at the end of stack is inside a function literal that may be
// called after the round of the loop: any but those called on the spot, or given to a standard function that calls them.
func keptBeyondRound(info *types.Info, loopVar types.Object, stack []ast.Node) bool {
	for i := len(stack) - 1; i >= 1 && stack[i].Pos() > loopVar.Pos(); i-- {
		literal, ok := stack[i].(*ast.FuncLit)
		if !ok {
			continue
		}
		call, ok := stack[i-1].(*ast.CallExpr)
		if !ok {
			return true
		}
		switch stack[i-2].(type) {
		case *ast.GoStmt, *ast.DeferStmt:
			return true
		}
		if call.Fun != ast.Expr(literal) && !callsAtOnce(info, call, literal) {
			return true
		}
	}
	return false
}

// callsAtOnce tells whether the standard function called returns only after it has called the literal given to it.
func callsAtOnce(info *types.Info, call *ast.CallExpr, literal *ast.FuncLit) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	function := info.Uses[selector.Sel]
	if function == nil || function.Pkg() == nil {
		return false
	}
	switch function.Pkg().Path() {
	case "bytes", "slices", "sort", "strings":
		return true
	case "testing": // T.Run, unless the subtest is parallel
		parallel := false
		ast.Inspect(literal.Body, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Parallel" {
				parallel = true
			}
			return !parallel
		})
		return !parallel
	}
	return false
}

func isGeneric(object types.Object) bool {
	switch t := object.Type().(type) {
	case *types.Signature:
		return t.TypeParams().Len() > 0
	case *types.Named:
		return t.TypeParams().Len() > 0
	}
	return false
}

func isStandard(pkg *types.Package) bool {
	if pkg == nil {
		return false
	}
	first, _, _ := strings.Cut(pkg.Path(), "/")
	return !strings.Contains(first, ".")
}

func qualified(object types.Object) string {
	if object.Pkg() == nil {
		return object.Name()
	}
	return object.Pkg().Name() + "." + object.Name()
}
