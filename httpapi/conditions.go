package httpapi

import (
	"net/http"
	"strconv"
	"strings"
)

// An answer that is a call has the call's version for its entity tag, and a
// change of the call may be bound to it by If-Match. Names and pictures of
// people are not part of the version, so the tag says nothing to caches;
// answers are not cached anyway.

// tellVersion sets the entity tag of an answer that is a call.
func tellVersion(w http.ResponseWriter, result any) {
	if v, ok := result.(callView); ok {
		w.Header().Set("ETag", `"`+strconv.FormatUint(v.Version, 10)+`"`)
	}
}

// about tells whether a route is about one call.
func (rt route) about() bool {
	return strings.HasPrefix(rt.pattern, "calls/{id}") || strings.HasPrefix(rt.pattern, "admin/calls/{id}")
}

// readCondition reads If-Match. Where it can't be honoured it is an error, since
// a client that sends it relies on it.
func (q *request) readCondition(rt route) error {
	const header = "If-Match"
	list := q.Header.Values(header)
	if rt.method == http.MethodGet || len(list) == 0 || len(list) == 1 && strings.TrimSpace(list[0]) == "*" {
		return nil
	}
	if rt.method != http.MethodPatch {
		return invalid(header, "is understood by PATCH only")
	}
	tag := strings.TrimSpace(list[0])
	digits, opened := strings.CutPrefix(tag, `"`)
	digits, closed := strings.CutSuffix(digits, `"`)
	version, err := strconv.ParseUint(digits, 10, 64)
	if len(list) > 1 || !opened || !closed || err != nil || version == 0 {
		return invalid(header, "is not one entity tag of a call")
	}
	q.ifVersion, q.conditional = version, true
	return nil
}
