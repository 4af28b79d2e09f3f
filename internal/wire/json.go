// Package wire reads JSON that comes from outside, more strictly than
// encoding/json: names match exactly and appear once, strings are valid
// Unicode without NUL, and depth and size are checked before anything is
// built.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Faults of a document, for errors.Is.
var (
	// ErrSyntax: the document is not one JSON value, or a string in it is not
	// valid Unicode.
	ErrSyntax = errors.New("not valid JSON")
	// ErrTooDeep: objects and arrays are nested deeper than Limits.Depth.
	ErrTooDeep = errors.New("nested too deeply")
	// ErrTooMany: the document has more values than Limits.Values.
	ErrTooMany = errors.New("too many values")
	// ErrDuplicate: an object has the same name twice.
	ErrDuplicate = errors.New("duplicate name")
	// ErrType: the document is valid JSON of another type than wanted.
	ErrType = errors.New("of the wrong type")
)

// Limits bound a document. Its size is bounded by whoever reads it.
type Limits struct {
	// Depth is how deep objects and arrays may be nested. Defaults to 32.
	Depth int
	// Values is the number of values, names included, that the document may
	// have. Defaults to 4096.
	Values int
}

func (l Limits) withDefaults() Limits {
	if l.Depth <= 0 {
		l.Depth = 32
	}
	if l.Values <= 0 {
		l.Values = 4096
	}
	return l
}

// Member is one name and its value, which is valid JSON.
type Member struct {
	Name  string
	Value json.RawMessage
}

// Object is a JSON object in the order of the document. Its values share the
// document's memory.
type Object []Member

// Get returns the value of the member with exactly this name, or nil. A JSON
// null is nil too: both mean that nothing was given.
func (o Object) Get(name string) json.RawMessage {
	for _, m := range o {
		if m.Name == name {
			if IsNull(m.Value) {
				return nil
			}
			return m.Value
		}
	}
	return nil
}

// IsNull tells whether a checked value is null.
func IsNull(v json.RawMessage) bool { return len(v) > 0 && v[0] == 'n' }

// ParseObject checks the whole document and returns its members. The error
// wraps one of this package's sentinels.
func ParseObject(doc []byte, l Limits) (Object, error) {
	s := scanner{b: doc, limits: l.withDefaults()}
	s.space()
	if s.peek() != '{' {
		if err := s.document(); err != nil {
			return nil, err
		}
		return nil, ErrType
	}
	var obj Object
	err := s.object(1, func(name string, value []byte) {
		obj = append(obj, Member{Name: name, Value: value})
	})
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, err
	}
	return obj, nil
}

// Check checks the whole document, of whatever type.
func Check(doc []byte, l Limits) error {
	s := scanner{b: doc, limits: l.withDefaults()}
	return s.document()
}

// scanner walks over a document without building anything but names.
type scanner struct {
	b      []byte
	i      int
	values int
	limits Limits
}

func (s *scanner) document() error {
	s.space()
	if err := s.value(0); err != nil {
		return err
	}
	return s.end()
}

func (s *scanner) end() error {
	s.space()
	if s.i != len(s.b) {
		return s.syntax("text after the value")
	}
	return nil
}

func (s *scanner) syntax(what string) error {
	return fmt.Errorf("%w: %s at offset %d", ErrSyntax, what, s.i)
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

// peek returns the next byte, or 0 at the end; a NUL byte is no JSON either.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) count() error {
	s.values++
	if s.values > s.limits.Values {
		return ErrTooMany
	}
	return nil
}

// value skips one value; depth is the number of containers around it.
func (s *scanner) value(depth int) error {
	if err := s.count(); err != nil {
		return err
	}
	switch c := s.peek(); {
	case c == '{':
		return s.object(depth+1, nil)
	case c == '[':
		return s.array(depth + 1)
	case c == '"':
		_, err := s.text(false)
		return err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	for _, word := range [...]string{"null", "true", "false"} {
		if len(s.b)-s.i >= len(word) && string(s.b[s.i:s.i+len(word)]) == word {
			s.i += len(word)
			return nil
		}
	}
	return s.syntax("no value")
}

func (s *scanner) object(depth int, visit func(name string, value []byte)) error {
	if depth > s.limits.Depth {
		return ErrTooDeep
	}
	s.i++
	seen := make(map[string]struct{})
	for {
		s.space()
		if s.peek() == '}' && len(seen) == 0 {
			s.i++
			return nil
		}
		if s.peek() != '"' {
			return s.syntax("no name")
		}
		if err := s.count(); err != nil {
			return err
		}
		name, err := s.text(true)
		if err != nil {
			return err
		}
		if _, twice := seen[name]; twice {
			return fmt.Errorf("%w %q", ErrDuplicate, name)
		}
		seen[name] = struct{}{}
		s.space()
		if s.peek() != ':' {
			return s.syntax("no colon")
		}
		s.i++
		s.space()
		start := s.i
		if err := s.value(depth); err != nil {
			return err
		}
		if visit != nil {
			visit(name, s.b[start:s.i:s.i])
		}
		s.space()
		switch s.peek() {
		case ',':
			s.i++
		case '}':
			s.i++
			return nil
		default:
			return s.syntax("object not closed")
		}
	}
}

func (s *scanner) array(depth int) error {
	if depth > s.limits.Depth {
		return ErrTooDeep
	}
	s.i++
	s.space()
	if s.peek() == ']' {
		s.i++
		return nil
	}
	for {
		s.space()
		if err := s.value(depth); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.i++
		case ']':
			s.i++
			return nil
		default:
			return s.syntax("array not closed")
		}
	}
}

func (s *scanner) digits() bool {
	start := s.i
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.i++
	}
	return s.i > start
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
	} else if !s.digits() {
		return s.syntax("no digits")
	}
	if s.peek() == '.' {
		s.i++
		if !s.digits() {
			return s.syntax("no digits")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		if !s.digits() {
			return s.syntax("no digits")
		}
	}
	return nil
}

// text skips a string and, if wanted, returns it unescaped.
func (s *scanner) text(want bool) (string, error) {
	var out []byte
	s.i++
	for s.i < len(s.b) {
		c := s.b[s.i]
		switch {
		case c == '"':
			s.i++
			return string(out), nil
		case c < ' ':
			return "", s.syntax("control character in a string")
		case c == '\\':
			r, err := s.escape()
			if err != nil {
				return "", err
			}
			if want {
				out = utf8.AppendRune(out, r)
			}
		case c < utf8.RuneSelf:
			s.i++
			if want {
				out = append(out, c)
			}
		default:
			r, n := utf8.DecodeRune(s.b[s.i:])
			if r == utf8.RuneError && n == 1 {
				return "", s.syntax("invalid UTF-8")
			}
			if want {
				out = append(out, s.b[s.i:s.i+n]...)
			}
			s.i += n
		}
	}
	return "", s.syntax("string not closed")
}

func (s *scanner) escape() (rune, error) {
	s.i++
	c := s.peek()
	s.i++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		return s.unicode()
	}
	return 0, s.syntax("unknown escape")
}

func (s *scanner) unicode() (rune, error) {
	r, ok := s.hex4()
	if !ok {
		return 0, s.syntax("bad \\u escape")
	}
	if r == 0 {
		return 0, s.syntax("NUL in a string")
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if s.peek() != '\\' || s.i+1 >= len(s.b) || s.b[s.i+1] != 'u' {
		return 0, s.syntax("lone surrogate")
	}
	s.i += 2
	low, ok := s.hex4()
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, s.syntax("lone surrogate")
	}
	return r, nil
}

func (s *scanner) hex4() (rune, bool) {
	if len(s.b)-s.i < 4 {
		return 0, false
	}
	var r rune
	for _, c := range s.b[s.i : s.i+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	s.i += 4
	return r, true
}
