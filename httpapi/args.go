package httpapi

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/internal/wire"
)

// arguments reads the members of a JSON object from outside. The first fault
// is kept and the getters return zero values from then on, so that callers read
// everything they need and look at fault once.
//
// Remote calls are read leniently, because old clients send numbers as text,
// lists as ";"-joined text and whatever else worked once; unknown members are
// theirs to send. REST bodies are read strictly: types must be exact and a
// member that no getter asked for is a fault.
type arguments struct {
	obj     wire.Object
	lenient bool
	known   []string
	err     error
}

// lenientArguments reads the data of a remote call.
func lenientArguments(data json.RawMessage) (*arguments, error) {
	// Some old clients send the object as JSON text.
	if text, ok := stringOf(data); ok {
		data = json.RawMessage(text)
	}
	obj, err := wire.ParseObject(data, wire.Limits{})
	if err != nil {
		return nil, argumentFault("data", err)
	}
	return &arguments{obj: obj, lenient: true}, nil
}

// strictArguments reads a REST body.
func strictArguments(body []byte) (*arguments, error) {
	obj, err := wire.ParseObject(body, wire.Limits{})
	if err != nil {
		return nil, argumentFault("body", err)
	}
	return &arguments{obj: obj}, nil
}

func argumentFault(field string, err error) error {
	fault := &webconferencing.Error{Code: webconferencing.CodeInvalid, Field: field, Err: err}
	switch {
	case errors.Is(err, wire.ErrTooDeep):
		fault.Reason, fault.Message = "too_deep", field+" is nested too deeply"
	case errors.Is(err, wire.ErrTooMany):
		fault.Reason, fault.Message = "too_many_values", field+" has too many values"
	case errors.Is(err, wire.ErrDuplicate):
		fault.Reason, fault.Message = "duplicate_name", field+" has a name twice"
	case errors.Is(err, wire.ErrType):
		fault.Reason, fault.Message = "bad_json", field+" must be a JSON object"
	default:
		fault.Reason, fault.Message = "bad_json", field+" is not valid JSON"
	}
	return fault
}

func (a *arguments) fail(field, message string) {
	if a.err == nil {
		a.err = invalid(field, message)
	}
}

// get returns a member's value, nil if it is missing or null.
func (a *arguments) get(name string) json.RawMessage {
	a.known = append(a.known, name)
	if a.err != nil {
		return nil
	}
	return a.obj.Get(name)
}

// has tells whether the member is there and not null.
func (a *arguments) has(name string) bool { return a.get(name) != nil }

// fault returns the first fault. In strict reading a member that nobody asked
// for is one.
func (a *arguments) fault() error {
	if a.err != nil || a.lenient {
		return a.err
	}
	for _, m := range a.obj {
		if !slices.Contains(a.known, m.Name) {
			name := m.Name
			if len(name) > maxIDLength {
				name = "a member"
			}
			a.fail(name, "is not known here, or is set by the server alone")
			break
		}
	}
	return a.err
}

// text returns a string, "" if it is missing.
func (a *arguments) text(name string) string {
	raw := a.get(name)
	if raw == nil {
		return ""
	}
	if s, ok := stringOf(raw); ok {
		return s
	}
	if a.lenient && raw[0] != '{' && raw[0] != '[' {
		return string(raw) // a number or boolean where text was meant
	}
	a.fail(name, "must be a string")
	return ""
}

// required returns a string that must be there.
func (a *arguments) required(name string) string {
	s := a.text(name)
	if s == "" {
		a.fail(name, "is missing")
	}
	return s
}

// optional returns a string, nil if it is missing.
func (a *arguments) optional(name string) *string {
	if !a.has(name) {
		return nil
	}
	s := a.text(name)
	return &s
}

// boolean returns a truth value, false if it is missing.
func (a *arguments) boolean(name string) bool {
	raw := a.get(name)
	if raw == nil {
		return false
	}
	word := string(raw)
	if s, ok := stringOf(raw); ok && a.lenient {
		word = strings.ToLower(strings.TrimSpace(s))
	}
	switch word {
	case "true":
		return true
	case "false":
		return false
	}
	if a.lenient {
		switch word {
		case "1":
			return true
		case "0", "":
			return false
		}
	}
	a.fail(name, "must be true or false")
	return false
}

// list returns a list of strings, nil if it is missing and not nil otherwise.
// Empty entries of a joined list mean nothing.
func (a *arguments) list(name string) []string {
	raw := a.get(name)
	if raw == nil {
		return nil
	}
	if s, ok := stringOf(raw); ok && a.lenient {
		return splitList(s)
	}
	if raw[0] != '[' {
		a.fail(name, "must be an array of strings")
		return nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		a.fail(name, "must be an array of strings")
		return nil
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		s, ok := stringOf(item)
		if !ok && a.lenient && item[0] != '{' && item[0] != '[' && !wire.IsNull(item) {
			s, ok = string(item), true
		}
		if !ok || s == "" {
			a.fail(name, "must be an array of strings")
			return nil
		}
		list = append(list, s)
	}
	return list
}

// objects returns the elements of an array of objects, nil if it is missing.
func (a *arguments) objects(name string) []*arguments {
	raw := a.get(name)
	if raw == nil {
		return nil
	}
	if s, ok := stringOf(raw); ok && a.lenient {
		raw = json.RawMessage(s)
		if wire.Check(raw, wire.Limits{}) != nil {
			a.fail(name, "must be an array of objects")
			return nil
		}
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		a.fail(name, "must be an array of objects")
		return nil
	}
	list := make([]*arguments, 0, len(items))
	for _, item := range items {
		obj, err := wire.ParseObject(item, wire.Limits{})
		if err != nil {
			a.fail(name, "must be an array of objects")
			return nil
		}
		list = append(list, &arguments{obj: obj, lenient: a.lenient})
	}
	return list
}

// object returns a member that is an object, nil if it is missing.
func (a *arguments) object(name string) *arguments {
	raw := a.get(name)
	if raw == nil {
		return nil
	}
	if s, ok := stringOf(raw); ok && a.lenient {
		raw = json.RawMessage(s)
	}
	obj, err := wire.ParseObject(raw, wire.Limits{})
	if err != nil {
		a.fail(name, "must be an object")
		return nil
	}
	return &arguments{obj: obj, lenient: a.lenient}
}

// number returns an unsigned whole number, 0 if it is missing.
func (a *arguments) number(name string) uint64 {
	raw := a.get(name)
	if raw == nil {
		return 0
	}
	digits := string(raw)
	if s, ok := stringOf(raw); ok && a.lenient {
		digits = s
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		a.fail(name, "must be a whole number")
	}
	return n
}

// count returns a number of things, 0 if it is missing.
func (a *arguments) count(name string) int {
	n := a.number(name)
	if n > math.MaxInt32 {
		a.fail(name, "is too large")
		return 0
	}
	return int(n)
}

// seconds returns a length of time that is given in whole seconds, 0 if it is
// missing.
func (a *arguments) seconds(name string) time.Duration {
	n := a.number(name)
	const most = 24 * 60 * 60
	if n > most {
		a.fail(name, "is longer than a day")
		return 0
	}
	return time.Duration(n) * time.Second
}

// instant returns a point in time, zero if it is missing. Old clients send ISO
// 8601 with or without a zone, or milliseconds since 1970.
func (a *arguments) instant(name string) time.Time {
	raw := a.get(name)
	if raw == nil {
		return time.Time{}
	}
	s, isText := stringOf(raw)
	if isText && s == "" && a.lenient {
		return time.Time{}
	}
	if isText {
		if t, ok := parseTime(s); ok {
			return t
		}
	}
	if a.lenient {
		if !isText {
			s = string(raw)
		}
		if t, ok := epochMillis(s); ok {
			return t
		}
	}
	a.fail(name, "must be a time in ISO 8601")
	return time.Time{}
}

func parseTime(s string) (time.Time, bool) {
	if len(s) > 64 {
		return time.Time{}, false
	}
	for _, layout := range [...]string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", time.DateOnly,
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return saneTime(t)
		}
	}
	return time.Time{}, false
}

// epochMillis reads milliseconds since 1970; clients that compute them may
// send a fraction or an exponent.
func epochMillis(s string) (time.Time, bool) {
	ms, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(ms) || math.Abs(ms) > 1e15 {
		return time.Time{}, false
	}
	return saneTime(time.UnixMilli(int64(ms)))
}

// saneTime refuses years that no calendar of the wire format can show.
func saneTime(t time.Time) (time.Time, bool) {
	t = t.UTC()
	return t, t.Year() >= 1 && t.Year() <= 9999 && !t.IsZero()
}

func stringOf(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}

// splitList splits the ";"-joined lists of the wire contract.
func splitList(s string) []string {
	list := []string{}
	for item := range strings.SplitSeq(s, ";") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

func userIDs(list []string) []webconferencing.UserID {
	if list == nil {
		return nil
	}
	ids := make([]webconferencing.UserID, len(list))
	for i, s := range list {
		ids[i] = webconferencing.UserID(s)
	}
	return ids
}
