package expr

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"strings"
	"unicode/utf8"
)

// Parse reads a source as an expression of Go, which is the syntax of conditions, keys and checks. What an empty source
// should be is wanted. The tree is nil if there is an error.
func Parse(source, wanted string) (ast.Expr, error) {
	if strings.TrimSpace(source) == "" {
		return nil, Problem(source, 1, "empty expression: write %s", wanted)
	}
	tree, err := parser.ParseExpr(source)
	if err == nil {
		return tree, nil
	}
	var list scanner.ErrorList
	if !errors.As(err, &list) {
		return nil, Problem(source, 1, "%v", err)
	}
	message := strings.NewReplacer("'EOF'", "the end", "operand", "a value", "newline", "the end").Replace(list[0].Msg)
	if strings.Contains(message, "rune literal") || strings.Contains(message, "illegal rune") {
		message = `single quotes: write texts in double quotes, "like this"`
	}
	return nil, Problem(source, token.Pos(list[0].Pos.Offset+1), "%s", message)
}

// Problem returns an error at a position of the tree of a source. It begins with the column, counted in characters from 1.
func Problem(source string, at token.Pos, format string, args ...any) error {
	before := int(at) - 1 // positions are counted in bytes from 1
	if before < 0 || before > len(source) {
		before = len(source)
	}
	column := utf8.RuneCountInString(source[:before]) + 1
	return fmt.Errorf("column %d: %s", column, fmt.Sprintf(format, args...))
}

// Excerpt returns the text of a part of the tree of a source, shortened.
func Excerpt(source string, x ast.Expr) string {
	from, to := int(x.Pos())-1, int(x.End())-1
	if from < 0 || to > len(source) || from > to {
		return "this"
	}
	text := source[from:to]
	if len(text) > 40 {
		cut := 37
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "..."
	}
	return text
}
