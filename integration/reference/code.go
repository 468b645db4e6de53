package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// code is what was read of the Go packages of a checkout.
type code struct {
	structs map[string]*structure // by package and name, such as core.Config
	texts   map[string]bool       // types made of string, likewise
}

type structure struct {
	doc    string
	fields []field
}

// field is an exported field of a struct.
type field struct {
	name     string
	tag      reflect.StructTag
	doc      string
	shape    shape
	element  string // the Go type of the value, or of those that a list or table holds
	leadsTo  string // the struct of that name; it may be none
	embedded bool
}

type shape int

const (
	single shape = iota
	list
	table
)

// read reads packages by their directories.
func read(checkout string, packages ...string) (*code, error) {
	c := &code{structs: map[string]*structure{}, texts: map[string]bool{}}
	for _, dir := range packages {
		files, err := filepath.Glob(filepath.Join(checkout, dir, "*.go"))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
			if err != nil {
				return nil, err
			}
			c.declare(parsed)
		}
	}
	return c, nil
}

// declare takes in the structs of a file, and what is made of string.
func (c *code) declare(file *ast.File) {
	pkg := file.Name.Name
	for _, declaration := range file.Decls {
		general, ok := declaration.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range general.Specs {
			named, isType := spec.(*ast.TypeSpec)
			if !isType {
				continue
			}
			if made, isName := named.Type.(*ast.Ident); isName && made.Name == "string" {
				c.texts[pkg+"."+named.Name.Name] = true
			}
			body, isStruct := named.Type.(*ast.StructType)
			if !isStruct {
				continue
			}
			doc := named.Doc
			if doc == nil {
				doc = general.Doc
			}
			c.structs[pkg+"."+named.Name.Name] = &structure{doc: doc.Text(), fields: fieldsOf(pkg, body)}
		}
	}
}

func fieldsOf(pkg string, body *ast.StructType) []field {
	var all []field
	for _, declared := range body.Fields.List {
		f := field{doc: declared.Doc.Text()}
		if f.doc == "" {
			f.doc = declared.Comment.Text() // at the end of the line
		}
		if declared.Tag != nil {
			tag, err := strconv.Unquote(declared.Tag.Value)
			if err != nil {
				panic(err) // the compiler would not have it
			}
			f.tag = reflect.StructTag(tag)
		}
		f.shape, f.element = typeOf(declared.Type)
		f.leadsTo = f.element
		if !strings.Contains(f.element, ".") {
			f.leadsTo = pkg + "." + f.element
		}
		if declared.Names == nil {
			f.embedded = true
			all = append(all, f)
		}
		for _, name := range declared.Names {
			if name.IsExported() {
				f.name = name.Name
				all = append(all, f)
			}
		}
	}
	return all
}

func typeOf(expr ast.Expr) (shape, string) {
	switch t := expr.(type) {
	case *ast.Ident:
		return single, t.Name
	case *ast.SelectorExpr:
		return single, fmt.Sprint(t.X) + "." + t.Sel.Name
	case *ast.StarExpr:
		return typeOf(t.X)
	case *ast.ArrayType:
		_, element := typeOf(t.Elt)
		return list, element
	case *ast.MapType:
		_, element := typeOf(t.Value)
		return table, element
	}
	return single, fmt.Sprintf("%T", expr)
}

// fields returns the fields of a struct with those of what it embeds, in whose places its own come.
func (c *code) fields(name string) []field {
	s := c.structs[name]
	if s == nil {
		return nil
	}
	var all []field
	own := map[string]field{}
	for _, f := range s.fields {
		if !f.embedded {
			own[f.name] = f
		}
	}
	taken := map[string]bool{}
	for _, f := range s.fields {
		if !f.embedded {
			continue
		}
		for _, inner := range c.fields(f.leadsTo) {
			if outer, hidden := own[inner.name]; hidden {
				taken[inner.name] = true
				inner = outer
			}
			all = append(all, inner)
		}
	}
	for _, f := range s.fields {
		if !f.embedded && !taken[f.name] {
			all = append(all, f)
		}
	}
	return all
}

// jsonKey returns a field's name in JSON.
func jsonKey(f field) string {
	key, _, _ := strings.Cut(f.tag.Get("json"), ",")
	if key == "-" {
		return ""
	}
	return key
}

// camelKey returns a field's name in YAML.
func camelKey(f field) string {
	if f.name == "Rest" || !f.embedded && f.name == "" {
		return ""
	}
	if key := jsonKey(f); key != "" {
		words := strings.Split(key, "_")
		for i := range words[1:] {
			words[i+1] = strings.ToUpper(words[i+1][:1]) + words[i+1][1:]
		}
		return strings.Join(words, "")
	}
	capitals := len(f.name) - len(strings.TrimLeft(f.name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
	if capitals > 1 && capitals < len(f.name) && unicode.IsLower(rune(f.name[capitals])) {
		capitals-- // the last is that of the second word: CAFile
	}
	return strings.ToLower(f.name[:capitals]) + f.name[capitals:]
}

var (
	symbol    = regexp.MustCompile(`\[(?:\w+\.)*(\w+)\]`)
	qualified = regexp.MustCompile(`\b([A-Z]\w+)\.([A-Z]\w+)\b`)
)

// markdown returns a comment, which is as good as Markdown, with the names that fields have on the page.
func (c *code) markdown(doc string, titles map[string]string, key func(field) string) string {
	doc = symbol.ReplaceAllString(doc, "$1")
	doc = qualified.ReplaceAllStringFunc(doc, func(match string) string {
		parts := strings.SplitN(match, ".", 2)
		for name := range titles {
			if strings.HasSuffix(name, "."+parts[0]) {
				for _, f := range c.fields(name) {
					if k := key(f); f.name == parts[1] && k != "" {
						return k + " of " + titles[name]
					}
				}
			}
		}
		return match
	})
	return strings.TrimSpace(doc)
}
