package identity

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep objects and lists may be nested.
const maxDepth = 32

var (
	errBase64    = errors.New("not base64url without padding")
	errJSON      = errors.New("not a JSON object in UTF-8")
	errDuplicate = errors.New("a member occurs twice")
	errDepth     = errors.New("nested too deep")
	errSize      = errors.New("too many values")
	errNumber    = errors.New("a number that is too large")
)

// strict refuses padding, which RFC 7515, section 2, leaves out, and bits after the last byte: else one token could be
// written in several ways.
var strict = base64.RawURLEncoding.Strict()

// decodeSegment decodes base64url.
func decodeSegment(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") { // which Go's decoder skips
		return nil, errBase64
	}
	content, err := strict.DecodeString(text)
	if err != nil {
		return nil, errBase64
	}
	return content, nil
}

// parseObject reads one JSON object and nothing after it. Members that occur twice are refused at every level, as RFC
// 7515, section 4, and RFC 7519, section 4, allow and RFC 8725, section 2.4, has reason for: another reader may have
// looked at the other one. Numbers stay as they are written. values bounds how much there may be in it.
func parseObject(content []byte, values int) (map[string]any, error) {
	if !utf8.Valid(content) || !json.Valid(content) {
		return nil, errJSON
	}
	p := &objectParser{decoder: json.NewDecoder(bytes.NewReader(content)), left: values}
	p.decoder.UseNumber()
	value, err := p.value(0)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errJSON
	}
	return object, nil
}

type objectParser struct {
	decoder *json.Decoder
	left    int // values that there may still be
}

func (p *objectParser) value(depth int) (any, error) {
	token, err := p.decoder.Token()
	if err != nil {
		return nil, errJSON
	}
	p.left--
	if p.left < 0 {
		return nil, errSize
	}
	delimiter, ok := token.(json.Delim)
	if !ok {
		return token, checkNumber(token)
	}
	if depth == maxDepth {
		return nil, errDepth
	}
	if delimiter == '{' {
		return p.members(depth + 1)
	}
	return p.elements(depth + 1)
}

// checkNumber refuses numbers that others read as infinite, or not at all.
func checkNumber(token json.Token) error {
	if number, ok := token.(json.Number); ok {
		if _, err := number.Float64(); err != nil {
			return errNumber
		}
	}
	return nil
}

func (p *objectParser) members(depth int) (any, error) {
	object := map[string]any{}
	for p.decoder.More() {
		token, err := p.decoder.Token()
		if err != nil {
			return nil, errJSON
		}
		name, _ := token.(string)
		if _, twice := object[name]; twice {
			return nil, errDuplicate
		}
		value, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		object[name] = value
	}
	_, err := p.decoder.Token() // the brace
	return object, err
}

func (p *objectParser) elements(depth int) (any, error) {
	list := []any{}
	for p.decoder.More() {
		value, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := p.decoder.Token() // the bracket
	return list, err
}
