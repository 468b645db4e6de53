package layers

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"regexp"
	"slices"
)

// traps reports what Yaegi runs without a word and wrongly, because it stores a value in the place of another, or wires
// a loop or a switch as if it were a simpler one.
func (l *linter) traps(n ast.Node, stack []ast.Node) {
	switch n := n.(type) {
	case *ast.AssignStmt:
		l.together(n.Lhs, n.Rhs, n.Tok == token.DEFINE)
		l.unpacked(n)
	case *ast.ReturnStmt:
		l.results(n, stack)
	case *ast.ForStmt:
		if n.Init != nil && n.Cond == nil && n.Post == nil {
			l.report(n.Init, "a loop with nothing but this statement runs it again in every round: put it before the loop")
		}
		l.asserted(n.Cond)
	case *ast.IfStmt:
		l.asserted(n.Cond)
	case *ast.RangeStmt:
		l.counter(n)
	case *ast.DeferStmt:
		l.deferred(n, stack)
	case *ast.GoStmt:
		l.started(n, stack)
	case *ast.SwitchStmt:
		l.defaults(n)
	case *ast.FuncDecl:
		if n.Body != nil {
			l.parameters(n.Type)
		}
	case *ast.FuncLit:
		l.parameters(n.Type)
	case *ast.CallExpr:
		l.wrapped(n)
		l.verbs(n)
	}
}

// together reports a value that is stored where it belongs at once, before the others are read, and the others forgotten
// unless they are stored at once too. A call does that in an assignment, a received value and a composite literal in a
// declaration as well.
func (l *linter) together(targets, values []ast.Expr, declared bool) {
	if len(values) < 2 {
		return
	}
	for i, value := range values {
		what := ""
		switch value := ast.Unparen(value).(type) {
		case *ast.CallExpr:
			if !declared && !l.isConversion(value) && !l.storedAlike(targets, values) {
				what = "a call"
			}
		case *ast.UnaryExpr:
			if value.Op == token.ARROW {
				what = "a received value"
			}
		case *ast.CompositeLit:
			what = "a composite literal"
		}
		if id, blank := targets[i].(*ast.Ident); what != "" && (!blank || id.Name != "_") {
			l.report(value, "%s among several values that are assigned: the others may be lost; assign one by one", what)
		}
	}
}

// unpacked reports elements of maps among what takes the results of one call: they are not stored.
func (l *linter) unpacked(a *ast.AssignStmt) {
	if len(a.Lhs) < 2 || len(a.Rhs) > 1 {
		return
	}
	for _, target := range a.Lhs {
		if element, ok := ast.Unparen(target).(*ast.IndexExpr); ok {
			if _, ok := l.pass.TypesInfo.TypeOf(element.X).Underlying().(*types.Map); ok {
				l.report(target, "one of several results is not stored in a map: assign it to a variable first")
			}
		}
	}
}

// storedAlike tells whether all values are calls, of the very types of their targets, which are variables that the calls
// beside theirs do not read: then nothing is lost.
func (l *linter) storedAlike(targets, values []ast.Expr) bool {
	for i, target := range targets {
		id, ok := target.(*ast.Ident)
		if !ok {
			return false
		}
		for j, value := range values {
			call, ok := ast.Unparen(value).(*ast.CallExpr)
			if !ok || l.isConversion(call) || i != j && l.mentions(call, l.pass.TypesInfo.Uses[id]) ||
				i == j && !types.Identical(l.pass.TypesInfo.TypeOf(target), l.pass.TypesInfo.TypeOf(call)) {
				return false
			}
		}
	}
	return true
}

// results reports returns of several values that overwrite each other: what is computed is stored in the place of a
// result at once, a builtin's value in that of the first; variables are copied there last, one after the other.
func (l *linter) results(r *ast.ReturnStmt, stack []ast.Node) {
	if len(r.Results) < 2 {
		return
	}
	named := l.resultsOf(stack)
	for i, value := range r.Results {
		switch value := ast.Unparen(value).(type) {
		case *ast.CallExpr:
			if i > 0 && l.isBuiltin(value) {
				l.report(value, "a builtin's value is returned as the first of several: assign it to a variable first")
			}
		case *ast.UnaryExpr:
			if value.Op == token.ARROW {
				l.report(value, "a received value among several that are returned: assign it to a variable first")
			}
		}
		for j, result := range named {
			id, ok := r.Results[j].(*ast.Ident)
			if i != j && result != nil && (!ok || l.pass.TypesInfo.Uses[id] != result) && l.mentions(value, result) {
				l.report(value, "result %s may be overwritten before it is read here: copy it to a variable first", result.Name())
			}
		}
	}
}

// resultsOf returns the named results of the innermost function of stack, by position.
func (l *linter) resultsOf(stack []ast.Node) (named []types.Object) {
	for _, ancestor := range slices.Backward(stack) {
		var function *ast.FuncType
		switch n := ancestor.(type) {
		case *ast.FuncDecl:
			function = n.Type
		case *ast.FuncLit:
			function = n.Type
		default:
			continue
		}
		if function.Results != nil {
			for _, field := range function.Results.List {
				for _, name := range field.Names {
					named = append(named, l.pass.TypesInfo.Defs[name])
				}
			}
		}
		return named
	}
	return nil
}

func (l *linter) mentions(x ast.Expr, object types.Object) (found bool) {
	ast.Inspect(x, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && l.pass.TypesInfo.Uses[id] == object {
			found = true
		}
		return !found
	})
	return found
}

// counter reports a loop over a slice, an array or a text that changes its index, which is the loop's own counter.
func (l *linter) counter(loop *ast.RangeStmt) {
	key, ok := loop.Key.(*ast.Ident)
	if !ok || key.Name == "_" {
		return
	}
	if _, isMap := l.pass.TypesInfo.TypeOf(loop.X).Underlying().(*types.Map); isMap {
		return
	}
	object := l.pass.TypesInfo.ObjectOf(key)
	ast.Inspect(loop.Body, func(n ast.Node) bool {
		var targets []ast.Expr
		switch n := n.(type) {
		case *ast.AssignStmt:
			targets = n.Lhs
		case *ast.IncDecStmt:
			targets = []ast.Expr{n.X}
		}
		for _, target := range targets {
			if id, ok := ast.Unparen(target).(*ast.Ident); ok && l.pass.TypesInfo.Uses[id] == object {
				l.report(id, "a change of index %s skips elements: copy it first", id.Name)
			}
		}
		return true
	})
}

func (l *linter) deferred(d *ast.DeferStmt, stack []ast.Node) {
	for _, ancestor := range slices.Backward(stack) {
		switch ancestor.(type) {
		case *ast.FuncDecl, *ast.FuncLit:
			return
		case *ast.ForStmt, *ast.RangeStmt:
			l.report(d, "every defer of a loop runs with the values of the last round: defer in a function that the loop calls")
			return
		}
	}
}

// started reports a method that a loop starts on a receiver of its own: a copy of the variable does not help.
func (l *linter) started(g *ast.GoStmt, stack []ast.Node) {
	method, ok := g.Call.Fun.(*ast.SelectorExpr)
	if !ok || l.pass.TypesInfo.Selections[method] == nil {
		return
	}
	receiver, ok := ast.Unparen(method.X).(*ast.Ident)
	if !ok {
		return
	}
	object := l.pass.TypesInfo.Uses[receiver]
	for _, ancestor := range slices.Backward(stack) {
		switch ancestor.(type) {
		case *ast.FuncDecl, *ast.FuncLit:
			return
		case *ast.ForStmt, *ast.RangeStmt:
			if object != nil && ancestor.Pos() <= object.Pos() && object.Pos() < ancestor.End() {
				l.report(g, "every method that a loop starts runs on the %s of the last round: start a function that gets it as an argument", receiver.Name)
			}
			return
		}
	}
}

// defaults reports a default that is not the last clause: it changes places with the last one, so that a case is looked at
// before those above it, and a fallthrough leads elsewhere.
func (l *linter) defaults(s *ast.SwitchStmt) {
	for i, clause := range s.Body.List {
		if clause.(*ast.CaseClause).List == nil && i < len(s.Body.List)-1 {
			l.report(clause, "default changes places with the last case: put it last")
		}
		if s.Tag == nil {
			for _, condition := range clause.(*ast.CaseClause).List {
				l.asserted(condition)
			}
		}
	}
}

// asserted reports a type assertion that is all of a condition: it is taken for true, whatever the value is.
func (l *linter) asserted(condition ast.Expr) {
	if _, ok := ast.Unparen(condition).(*ast.TypeAssertExpr); ok {
		l.report(condition, "a type assertion as a condition is always true: put it into a variable first")
	}
}

func (l *linter) parameters(function *ast.FuncType) {
	for _, parameter := range function.Params.List {
		if len(parameter.Names) == 0 {
			l.report(parameter, "an unnamed parameter has no place, so what follows is stored in another's: name it _")
		}
	}
}

// wrapped reports a value of an own type with methods that an own function takes as one of ...any: it arrives as
// something of the interpreter's own, which fmt prints.
func (l *linter) wrapped(call *ast.CallExpr) {
	signature, ok := l.pass.TypesInfo.TypeOf(call.Fun).(*types.Signature)
	if !ok || !signature.Variadic() || call.Ellipsis.IsValid() || !l.isOwn(call) {
		return
	}
	last := signature.Params().Len() - 1
	element, ok := signature.Params().At(last).Type().(*types.Slice).Elem().Underlying().(*types.Interface)
	if !ok || !element.Empty() {
		return
	}
	for i := last; i < len(call.Args); i++ {
		named, ok := types.Unalias(l.pass.TypesInfo.TypeOf(call.Args[i])).(*types.Named)
		if ok && !types.IsInterface(named) && l.own(named.Obj()) && named.NumMethods() > 0 {
			l.report(call.Args[i], "a value of type %s, which has methods, among ...any of an own function: pass a plain value, "+
				"such as what its String returns", named.Obj().Name())
		}
	}
}

// isOwn tells whether what is called is a function or method of the project's.
func (l *linter) isOwn(call *ast.CallExpr) bool {
	var id *ast.Ident
	switch f := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		id = f
	case *ast.SelectorExpr:
		id = f.Sel
	default:
		return true // a function literal
	}
	object := l.pass.TypesInfo.Uses[id]
	return object != nil && object.Pkg() != nil && (object.Pkg() == l.pass.Pkg || !isStandard(object.Pkg()))
}

// verb is a directive of fmt, without those that take their width from an argument.
var verb = regexp.MustCompile(`%[-+# 0]*\d*(?:\.\d*)?([a-zA-Z%])`)

// verbs reports a number of an own type with a String method that is formatted as a number. What prints it gets a struct
// with a method, so only %s, %v, %q and %x are right.
func (l *linter) verbs(call *ast.CallExpr) {
	signature, ok := l.pass.TypesInfo.TypeOf(call.Fun).(*types.Signature)
	if !ok || !signature.Variadic() || signature.Params().Len() < 2 || call.Ellipsis.IsValid() {
		return
	}
	at := signature.Params().Len() - 2
	if at >= len(call.Args) {
		return
	}
	format := l.pass.TypesInfo.Types[call.Args[at]].Value
	if format == nil || format.Kind() != constant.String {
		return
	}
	next := at + 1
	for _, found := range verb.FindAllStringSubmatch(constant.StringVal(format), -1) {
		if found[1] == "%" {
			continue
		}
		if next >= len(call.Args) {
			return
		}
		argument := call.Args[next]
		next++
		switch found[1] {
		case "b", "c", "d", "e", "f", "g", "o", "t", "E", "F", "G", "O", "U":
			if named, ok := types.Unalias(l.pass.TypesInfo.TypeOf(argument)).(*types.Named); ok && l.own(named.Obj()) && hasString(named) {
				l.report(argument, "%%%s prints a struct, because %s has a String method: convert it to a plain type", found[1],
					named.Obj().Name())
			}
		}
	}
}

func hasString(t types.Type) bool {
	_, isInterface := t.Underlying().(*types.Interface)
	return !isInterface && types.NewMethodSet(t).Lookup(nil, "String") != nil
}

func (l *linter) isConversion(call *ast.CallExpr) bool {
	return l.pass.TypesInfo.Types[call.Fun].IsType()
}

func (l *linter) isBuiltin(call *ast.CallExpr) bool {
	return l.pass.TypesInfo.Types[call.Fun].IsBuiltin()
}
