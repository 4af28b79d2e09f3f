package bayeux

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// The scanner below is strict where encoding/json is lenient: object keys are
// compared exactly and may not repeat, text must be valid UTF-8, surrogates
// must come in pairs, and depth and token count are checked before anything is
// built from the text.

var (
	errJSON      = errors.New("bad_json")
	errTooDeep   = errors.New("too_deep")
	errTooMany   = errors.New("too_complex")
	errBatchSize = errors.New("batch_too_large")
)

type scanner struct {
	text     []byte
	at       int
	depth    int
	maxDepth int
	tokens   int
}

// member is one name and value of a JSON object. Name is unescaped; value
// refers to the scanned text.
type member struct {
	name  string
	value []byte
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) token() error {
	s.tokens--
	if s.tokens < 0 {
		return errTooMany
	}
	return nil
}

// value skips one value, checking it.
func (s *scanner) value() error {
	if err := s.token(); err != nil {
		return err
	}
	switch c := s.peek(); {
	case c == '{':
		return s.object(nil)
	case c == '[':
		return s.array()
	case c == '"':
		_, err := s.str()
		return err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	}
	return errJSON
}

func (s *scanner) word(w string) error {
	if len(s.text)-s.at < len(w) || string(s.text[s.at:s.at+len(w)]) != w {
		return errJSON
	}
	s.at += len(w)
	return nil
}

func (s *scanner) digits() bool {
	from := s.at
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.at++
	}
	return s.at > from
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else if !s.digits() {
		return errJSON
	}
	if s.peek() == '.' {
		s.at++
		if !s.digits() {
			return errJSON
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		if !s.digits() {
			return errJSON
		}
	}
	return nil
}

// str skips one string and returns its text between the quotes, still
// escaped.
func (s *scanner) str() ([]byte, error) {
	if s.peek() != '"' {
		return nil, errJSON
	}
	s.at++
	from := s.at
	for s.at < len(s.text) {
		s.at += plainRun(s.text[s.at:])
		if s.at == len(s.text) {
			return nil, errJSON
		}
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return s.text[from : s.at-1], nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return nil, err
			}
		case c < ' ':
			return nil, errJSON
		default:
			r, size := utf8.DecodeRune(s.text[s.at:])
			if r == utf8.RuneError && size <= 1 {
				return nil, errJSON
			}
			s.at += size
		}
	}
	return nil, errJSON
}

// plain reports whether a byte of a string stands for itself.
func plain(c byte) bool { return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' }

// plainRun returns how many plain bytes b begins with. It looks at eight at a
// time: the sums below have the top bit of a byte set if that is not plain, and
// perhaps of bytes after the first of those.
func plainRun(b []byte) int {
	const each, top = 0x0101010101010101, 0x8080808080808080
	n := 0
	for len(b)-n >= 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		quote, slash := w^each*'"', w^each*'\\'
		if odd := (w | (w - each*' ') | (quote-each)&^quote | (slash-each)&^slash) & top; odd != 0 {
			return n + bits.TrailingZeros64(odd)/8
		}
		n += 8
	}
	for n < len(b) && plain(b[n]) {
		n++
	}
	return n
}

func (s *scanner) escape() error {
	if s.at+1 >= len(s.text) {
		return errJSON
	}
	switch s.text[s.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at += 2
		return nil
	case 'u':
		r, ok := hex4(s.text[s.at:])
		if !ok {
			return errJSON
		}
		s.at += 6
		if !utf16.IsSurrogate(r) {
			return nil
		}
		low, ok := hex4(s.text[s.at:])
		if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
			return errJSON
		}
		s.at += 6
		return nil
	}
	return errJSON
}

// hex4 reads an escaped code unit, \u and four hex digits, at the start of b.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unescape turns the checked inner text of a string into Go text.
func unescape(b []byte) string {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		if b[i] != '\\' {
			out = append(out, b[i])
			i++
			continue
		}
		switch c := b[i+1]; c {
		case 'u':
			r, _ := hex4(b[i:])
			i += 6
			if utf16.IsSurrogate(r) {
				low, _ := hex4(b[i:])
				r = utf16.DecodeRune(r, low)
				i += 6
			}
			out = utf8.AppendRune(out, r)
			continue
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		default:
			out = append(out, c)
		}
		i += 2
	}
	return string(out)
}

func (s *scanner) enter() error {
	if s.depth++; s.depth > s.maxDepth {
		return errTooDeep
	}
	s.at++
	s.space()
	return nil
}

func (s *scanner) array() error {
	if err := s.enter(); err != nil {
		return err
	}
	if s.peek() == ']' {
		s.at++
		s.depth--
		return nil
	}
	for {
		if err := s.value(); err != nil {
			return err
		}
		more, err := s.next(']')
		if err != nil || !more {
			return err
		}
	}
}

// next moves past the separator behind an element; more is false when the
// closing bracket was met instead.
func (s *scanner) next(closing byte) (more bool, err error) {
	s.space()
	switch s.peek() {
	case ',':
		s.at++
		s.space()
		return true, nil
	case closing:
		s.at++
		s.depth--
		return false, nil
	}
	return false, errJSON
}

// object skips an object. With a visitor it hands over each member.
func (s *scanner) object(visit func(member)) error {
	if err := s.enter(); err != nil {
		return err
	}
	if s.peek() == '}' {
		s.at++
		s.depth--
		return nil
	}
	var seen keySet
	for {
		if err := s.token(); err != nil {
			return err
		}
		raw, err := s.str()
		if err != nil {
			return err
		}
		if !seen.add(raw) {
			return errJSON
		}
		s.space()
		if s.peek() != ':' {
			return errJSON
		}
		s.at++
		s.space()
		from := s.at
		if err := s.value(); err != nil {
			return err
		}
		if visit != nil {
			visit(member{fieldName(raw), s.text[from:s.at:s.at]})
		}
		more, err := s.next('}')
		if err != nil || !more {
			return err
		}
	}
}

// fieldName returns the text of a key, for the usual ones without memory.
func fieldName(raw []byte) string {
	switch string(raw) {
	case "id":
		return "id"
	case "channel":
		return "channel"
	case "clientId":
		return "clientId"
	case "data":
		return "data"
	case "ext":
		return "ext"
	case "connectionType":
		return "connectionType"
	case "subscription":
		return "subscription"
	case "advice":
		return "advice"
	case "timeout":
		return "timeout"
	case "interval":
		return "interval"
	case "ack":
		return "ack"
	}
	return unescape(raw)
}

// keySet finds repeated keys. Most objects have few keys, for which a linear
// look over an array on the stack is cheaper than a map.
type keySet struct {
	few  [8][]byte
	n    int
	many map[string]struct{}
}

// add adds a key as it was sent. It reports false if the set has it already.
func (k *keySet) add(name []byte) bool {
	if bytes.IndexByte(name, '\\') >= 0 {
		name = []byte(unescape(name))
	}
	if k.many != nil {
		if _, found := k.many[string(name)]; found {
			return false
		}
		k.many[string(name)] = struct{}{}
		return true
	}
	for _, other := range k.few[:k.n] {
		if string(other) == string(name) {
			return false
		}
	}
	if k.n < len(k.few) {
		k.few[k.n] = name
		k.n++
		return true
	}
	k.many = make(map[string]struct{}, 4*len(k.few))
	for _, other := range k.few {
		k.many[string(other)] = struct{}{}
	}
	k.many[string(name)] = struct{}{}
	return true
}

// checkJSON reports whether raw is exactly one valid value within the depth
// and count that the server puts on clients too.
func checkJSON(raw []byte, maxDepth, maxTokens int) error {
	s := scanner{text: raw, maxDepth: maxDepth, tokens: maxTokens}
	s.space()
	if err := s.value(); err != nil {
		return err
	}
	s.space()
	if s.at != len(raw) {
		return errJSON
	}
	return nil
}

// members lists the members of a checked object; nil for anything else.
func members(raw []byte) []member {
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	var list []member
	s := scanner{text: raw, maxDepth: len(raw), tokens: len(raw)}
	if s.object(func(m member) { list = append(list, m) }) != nil {
		return nil
	}
	return list
}

// elements lists the elements of a checked array; nil for anything else.
func elements(raw []byte) [][]byte {
	s := scanner{text: raw, maxDepth: len(raw), tokens: len(raw)}
	if s.peek() != '[' || s.enter() != nil {
		return nil
	}
	var list [][]byte
	for more := s.peek() != ']'; more; {
		from := s.at
		if s.value() != nil {
			return nil
		}
		list = append(list, s.text[from:s.at:s.at])
		var err error
		if more, err = s.next(']'); err != nil {
			return nil
		}
	}
	return list
}

func lookup(list []member, name string) ([]byte, bool) {
	for i := range list {
		if list[i].name == name {
			return list[i].value, true
		}
	}
	return nil, false
}

// stringValue returns the text of a checked value if it is a string.
func stringValue(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	return unescape(raw[1 : len(raw)-1]), true
}

// intValue returns a checked value if it is an integer that fits.
func intValue(raw []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return n, err == nil
}

// appendString appends s as a JSON string. U+2028 and U+2029 are escaped so
// that the text is also valid JavaScript; bad UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	if ordinary(s) {
		return append(append(b, s...), '"')
	}
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20 || r == '<' || r == '>' || r == '&':
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		case r == 0x2028 || r == 0x2029:
			b = append(b, '\\', 'u', '2', '0', '2', hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// ordinary reports whether appendString appends s as it is.
func ordinary(s string) bool {
	for i := range len(s) {
		if c := s[i]; !plain(c) || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}
