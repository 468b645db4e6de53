package layers

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// interfaces reports values that Yaegi loses, or keeps too little of, when it makes interfaces of them.
func (l *linter) interfaces(n ast.Node, stack []ast.Node) {
	switch n := n.(type) {
	case *ast.ReturnStmt:
		l.wrappedResults(n, stack)
	case *ast.AssignStmt:
		if n.Tok == token.ASSIGN && len(n.Lhs) == len(n.Rhs) {
			for i, value := range n.Rhs {
				l.keptAs(l.pass.TypesInfo.TypeOf(n.Lhs[i]), value, stack)
			}
		}
	case *ast.SendStmt:
		if channel, ok := l.pass.TypesInfo.TypeOf(n.Chan).Underlying().(*types.Chan); ok {
			l.keptAs(channel.Elem(), n.Value, stack)
		}
	case *ast.CallExpr:
		if id, ok := ast.Unparen(n.Fun).(*ast.Ident); ok && id.Name == "append" && l.isBuiltin(n) && !n.Ellipsis.IsValid() {
			if list, ok := l.pass.TypesInfo.TypeOf(n).Underlying().(*types.Slice); ok {
				for _, value := range n.Args[1:] {
					l.keptAs(list.Elem(), value, stack)
				}
			}
		}
	case *ast.CompositeLit:
		l.keptIn(n, stack)
	}
}

// wrappedResults reports returns of several values of which one becomes an interface: those of a call are lost beside it,
// and what an operator makes is stored in its place.
func (l *linter) wrappedResults(r *ast.ReturnStmt, stack []ast.Node) {
	results := l.resultTypes(stack)
	if results == nil || results.Len() < 2 || len(r.Results) == 0 {
		return
	}
	if len(r.Results) == 1 {
		tuple := l.pass.TypesInfo.TypeOf(r.Results[0]).(*types.Tuple)
		for i := range tuple.Len() {
			if types.IsInterface(results.At(i).Type()) && !types.IsInterface(tuple.At(i).Type()) {
				l.report(r.Results[0], "results of a call of which one becomes an interface: the others are lost; assign them to variables first")
				return
			}
		}
		return
	}
	wrapped := false
	for i, value := range r.Results {
		if _, isOperator := ast.Unparen(value).(*ast.BinaryExpr); wrapped && isOperator && l.pass.TypesInfo.Types[value].Value == nil {
			l.report(value, "an operator behind a result that becomes an interface panics: assign it to a variable first")
		}
		wrapped = wrapped || l.becomes(results.At(i).Type(), value) && l.isOwnType(results.At(i).Type())
	}
}

// resultTypes returns the results of the innermost function of stack.
func (l *linter) resultTypes(stack []ast.Node) *types.Tuple {
	for _, ancestor := range slices.Backward(stack) {
		switch n := ancestor.(type) {
		case *ast.FuncDecl:
			return l.pass.TypesInfo.Defs[n.Name].Type().(*types.Signature).Results()
		case *ast.FuncLit:
			return l.pass.TypesInfo.TypeOf(n).(*types.Signature).Results()
		}
	}
	return nil
}

// keptIn looks at the elements of a composite literal.
func (l *linter) keptIn(literal *ast.CompositeLit, stack []ast.Node) {
	t := l.pass.TypesInfo.TypeOf(literal).Underlying()
	if pointer, ok := t.(*types.Pointer); ok {
		t = pointer.Elem().Underlying()
	}
	for i, element := range literal.Elts {
		pair, isPair := element.(*ast.KeyValueExpr)
		value := element
		if isPair {
			value = pair.Value
		}
		switch t := t.(type) {
		case *types.Struct:
			if isPair {
				l.keptAs(l.pass.TypesInfo.TypeOf(pair.Key), value, stack)
			} else {
				l.keptAs(t.Field(i).Type(), value, stack)
			}
		case interface{ Elem() types.Type }:
			l.keptAs(t.Elem(), value, stack)
		}
	}
}

// keptAs reports a value of an own type that is kept as an interface, and is that of a variable that will have another,
// or of an expression in a loop: the interface follows what it was made of.
func (l *linter) keptAs(as types.Type, value ast.Expr, stack []ast.Node) {
	if as == nil || !l.becomes(as, value) {
		return
	}
	of := l.pass.TypesInfo.TypeOf(value)
	if pointer, ok := of.(*types.Pointer); ok {
		of = pointer.Elem()
	}
	if !l.isOwnType(of) {
		return
	}
	const follows = "an interface that is kept follows what it was made of: make it of a variable that is declared for it"
	switch v := ast.Unparen(value).(type) {
	case *ast.Ident:
		object := l.pass.TypesInfo.Uses[v]
		if l.loopVars[object] || object != nil && assignedAgain(l.pass.TypesInfo, object, stack) {
			l.report(value, "%s", follows)
		}
	case *ast.CallExpr, *ast.UnaryExpr, *ast.IndexExpr:
		if inLoop(stack) {
			l.report(value, "%s", follows)
		}
	}
}

// becomes tells whether a value of a concrete type is converted to an interface.
func (l *linter) becomes(as types.Type, value ast.Expr) bool {
	of := l.pass.TypesInfo.Types[value]
	return types.IsInterface(as) && of.Type != nil && !of.IsNil() && !types.IsInterface(of.Type)
}

func (l *linter) isOwnType(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && l.own(named.Obj())
}

// assignedAgain tells whether the outermost function of stack gives a variable another value.
func assignedAgain(info *types.Info, variable types.Object, stack []ast.Node) (again bool) {
	for _, ancestor := range stack {
		function, ok := ancestor.(*ast.FuncDecl)
		if !ok {
			continue
		}
		ast.Inspect(function, func(n ast.Node) bool {
			if a, ok := n.(*ast.AssignStmt); ok {
				for _, target := range a.Lhs {
					if id, ok := ast.Unparen(target).(*ast.Ident); ok && info.Uses[id] == variable {
						again = true
					}
				}
			}
			return !again
		})
	}
	return again
}

// inLoop tells whether the body of a loop repeats what is at the end of stack.
func inLoop(stack []ast.Node) bool {
	for i := len(stack) - 1; i > 0; i-- {
		switch loop := stack[i-1].(type) {
		case *ast.FuncDecl, *ast.FuncLit:
			return false
		case *ast.ForStmt:
			return stack[i] == loop.Body || inLoop(stack[:i])
		case *ast.RangeStmt:
			return stack[i] == loop.Body || inLoop(stack[:i])
		}
	}
	return false
}
