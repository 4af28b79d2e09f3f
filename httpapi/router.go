package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/internal/wire"
)

// bodyTimeout bounds the reading of a body.
const bodyTimeout = 10 * time.Second

// audience is who may use a route at all.
type audience int

const (
	forUsers audience = iota
	forAdmins
	forEverybody
)

// bodyKind is the form of body that a route takes.
type bodyKind int

const (
	noBody bodyKind = iota // any body is ignored
	jsonBody
	optionalJSON // none at all is an empty object
	switchBody   // a form, or JSON
)

// route is one method of one resource. Segments of the pattern in braces match
// any one segment of the path.
type route struct {
	method  string
	pattern string
	who     audience
	body    bodyKind
	handle  func(ctx context.Context, q *request) (any, error)
}

// request is a request on its way through a route.
type request struct {
	*http.Request
	attempt
	params map[string]string
	body   *arguments // of a JSON body
	form   url.Values // of a form
	query  url.Values
	// ifVersion is the version at which a call has to be, 0 for any;
	// conditional tells that it came as an HTTP precondition.
	ifVersion   uint64
	conditional bool
}

// rawJSON is a result that is JSON already.
type rawJSON []byte

// REST returns the handler of the REST resources. It expects paths relative
// to where it is mounted, with or without a leading slash, so the host strips
// the prefix with [http.StripPrefix]. Below webhook/ it takes the requests of
// providers' servers, for which a host must ask nobody to sign in.
func (a *API) REST() http.Handler { return a.guard(a.hooks(a.router(a.routes))) }

// UserStatus returns the handler of user statuses: GET /{userId} answers
// {"userId","status"}. The host strips the prefix as for [API.REST].
func (a *API) UserStatus() http.Handler {
	return a.guard(a.router([]route{{http.MethodGet, "{userId}", forUsers, noBody, a.getStatus}}))
}

// guard refuses requests that a foreign page made the browser send, and turns
// panics into an answer.
func (a *API) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tracked := &trackedWriter{ResponseWriter: w}
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			ref := a.notePanic(r, v)
			if tracked.wrote {
				panic(http.ErrAbortHandler) // a half answer must not look whole
			}
			err := errors.New("panic")
			view, status := viewError(err)
			view.Ref = ref
			writeError(w, err, view, status)
		}()
		if a.sameSite(w, r) {
			next.ServeHTTP(tracked, r)
		}
	})
}

// notePanic logs a panic of a request, unless it is one that only ends the
// response, and returns the reference of the line.
func (a *API) notePanic(r *http.Request, v any) (ref string) {
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	ref = newRef()
	a.log.ErrorContext(r.Context(), "panic recovered", "in", "request", "ref", ref, "panic", v, "stack", string(debug.Stack()))
	return ref
}

// sameSite refuses a request that a foreign page made the browser send. It
// reports whether that is not one.
func (a *API) sameSite(w http.ResponseWriter, r *http.Request) bool {
	if a.csrf.Check(r) == nil {
		return true
	}
	a.answerError(w, &request{Request: r, attempt: newAttempt(r)}, &statusError{
		status: http.StatusForbidden, code: wireAccessError, reason: "cross_site", message: "requests from other sites are refused",
	})
	return false
}

// trackedWriter remembers whether anything was written.
type trackedWriter struct {
	http.ResponseWriter
	wrote bool
}

func (w *trackedWriter) WriteHeader(status int) {
	w.wrote = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *trackedWriter) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach what is underneath.
func (w *trackedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// router serves routes.
func (a *API) router(routes []route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := &request{Request: r, attempt: newAttempt(r)}
		result, err := a.serve(w, q, routes)
		if err == nil {
			if raw, ok := result.(rawJSON); ok {
				writeRaw(w, http.StatusOK, raw)
				return
			}
			tellVersion(w, result)
			err = writeJSON(w, result)
		}
		if err != nil {
			a.answerError(w, q, err)
		}
	})
}

func newAttempt(r *http.Request) attempt {
	return attempt{ref: newRef(), what: r.Method + " request", request: requestName(r)}
}

// answerError answers with what the other end may know of a failure.
func (a *API) answerError(w http.ResponseWriter, q *request, err error) {
	view, status := a.fail(q.Context(), &q.attempt, err)
	if status == http.StatusConflict && q.conditional && view.Reason == webconferencing.ReasonVersion {
		status = http.StatusPreconditionFailed
	}
	writeError(w, err, view, status)
}

func (a *API) serve(w http.ResponseWriter, q *request, routes []route) (any, error) {
	r := q.Request
	rt, routeErr := match(routes, q)
	if routeErr == nil && rt.who == forEverybody {
		return rt.handle(r.Context(), q)
	}
	// Who is not signed in learns nothing about what there is.
	by, err := a.signedIn(r)
	if err != nil {
		return nil, err
	}
	q.by.User = by.User
	if wait, ok := a.requests.allow(string(by.User), time.Now()); !ok {
		return nil, tooManyRequests(wait)
	}
	if routeErr != nil {
		return nil, routeErr
	}
	if rt.who == forAdmins && !by.Admin {
		return nil, accessDenied("only administrators may do this")
	}
	client, err := idHeader(r, "X-Client-Id")
	if err != nil {
		return nil, err
	}
	by.Client = webconferencing.ClientID(client)
	if rt.method != http.MethodGet {
		if by.Key, err = idHeader(r, "Idempotency-Key"); err != nil {
			return nil, err
		}
	}
	by.Ref = q.ref
	q.by, q.what = by, rt.String()
	if rt.about() {
		q.call = q.callID()
	}
	if err := q.readCondition(rt); err != nil {
		return nil, err
	}
	if q.query, err = parseQuery(r.URL.RawQuery); err != nil {
		return nil, err
	}
	if err := a.readBody(w, q, rt.body); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
	defer cancel()
	return rt.handle(ctx, q)
}

// idHeader returns an id that the client chose and sent in a header.
func idHeader(r *http.Request, name string) (string, error) {
	id := r.Header.Get(name)
	if len(id) > maxIDLength {
		return "", invalid(name, "is longer than 255 characters")
	}
	return id, nil
}

// match finds the route of a request.
func match(routes []route, q *request) (route, error) {
	segments, err := pathSegments(q.URL)
	if err != nil {
		return route{}, err
	}
	method := q.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var allow []string
	for _, rt := range routes {
		params, ok := matchPattern(rt.pattern, segments)
		if !ok {
			continue
		}
		if rt.method == method {
			q.params = params
			return rt, nil
		}
		allow = append(allow, rt.method)
		if rt.method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	if allow == nil {
		return route{}, &statusError{status: http.StatusNotFound, code: wireNotFoundError, message: "there is no such resource"}
	}
	slices.Sort(allow)
	e := clientStatus(http.StatusMethodNotAllowed, "method_not_allowed", "the resource does not have this method")
	e.allow = strings.Join(slices.Compact(allow), ", ")
	return route{}, e
}

// pathSegments splits the path before it is unescaped, since ids have slashes
// in them.
func pathSegments(u *url.URL) ([]string, error) {
	path := strings.Trim(u.EscapedPath(), "/")
	if len(path) > 4096 {
		return nil, clientStatus(http.StatusRequestURITooLong, "too_long", "the address is too long")
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return nil, clientStatus(http.StatusBadRequest, "bad_path", "the address is not valid")
		}
		segments[i] = plain
	}
	return segments, nil
}

func matchPattern(pattern string, segments []string) (map[string]string, bool) {
	parts := strings.Split(pattern, "/")
	if len(parts) != len(segments) {
		return nil, false
	}
	params := make(map[string]string)
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			if segments[i] == "" {
				return nil, false
			}
			params[strings.TrimSuffix(name, "}")] = segments[i]
			continue
		}
		if part != segments[i] {
			return nil, false
		}
	}
	return params, true
}

// parseQuery reads a query in which lists may be joined by raw semicolons,
// which url.ParseQuery refuses.
func parseQuery(raw string) (url.Values, error) {
	values := make(url.Values)
	if len(raw) > 64<<10 {
		return nil, clientStatus(http.StatusRequestURITooLong, "too_long", "the address is too long")
	}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, clientStatus(http.StatusBadRequest, "bad_query", "the query is not valid")
		}
		values[name] = append(values[name], value)
	}
	return values, nil
}

// readBody reads and checks a body of the kind that the route takes.
func (a *API) readBody(w http.ResponseWriter, q *request, kind bodyKind) error {
	if kind == noBody {
		return nil
	}
	if enc := q.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return clientStatus(http.StatusUnsupportedMediaType, "content_encoding", "encoded bodies are not understood")
	}
	if q.ContentLength > a.opts.MaxBodyBytes {
		w.Header().Set("Connection", "close")
		return &http.MaxBytesError{Limit: a.opts.MaxBodyBytes}
	}
	// Some servers and middlewares can't set deadlines; theirs hold then.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, a.opts.MaxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return clientStatus(http.StatusRequestTimeout, "too_slow", "the body came too slowly")
	case err != nil:
		return clientStatus(http.StatusBadRequest, "bad_body", "the body could not be read")
	}
	if len(body) == 0 && kind == optionalJSON {
		q.body = &arguments{}
		return nil
	}
	return decodeBody(q, kind, body)
}

func decodeBody(q *request, kind bodyKind, body []byte) error {
	media, params, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	unsupported := clientStatus(http.StatusUnsupportedMediaType, "content_type", "the content type must be application/json")
	if err != nil || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return unsupported
	}
	switch {
	case media == "application/json":
		q.body, err = strictArguments(body)
		return err
	case media == "application/x-www-form-urlencoded" && kind == switchBody:
		if q.form, err = url.ParseQuery(string(body)); err != nil {
			return clientStatus(http.StatusBadRequest, "bad_body", "the form is not valid")
		}
		return nil
	}
	return unsupported
}

// one returns the only value of a query parameter, "" if it is missing.
func (q *request) one(name string) (string, error) {
	switch v := q.query[name]; len(v) {
	case 0:
		return "", nil
	case 1:
		return v[0], nil
	}
	return "", invalid(name, "is given more than once")
}

// asArguments returns the query as arguments that are read like those of a
// remote call; parameters that are not named are ignored, as on all resources.
func (q *request) asArguments(names ...string) (*arguments, error) {
	obj := make(wire.Object, 0, len(names))
	for _, name := range names {
		v, err := q.one(name)
		if err != nil {
			return nil, err
		}
		if v == "" {
			continue
		}
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		obj = append(obj, wire.Member{Name: name, Value: raw})
	}
	return &arguments{obj: obj, lenient: true}, nil
}

// list returns a list parameter, ";"-joined or repeated.
func (q *request) list(name string) []string {
	var list []string
	for _, v := range q.query[name] {
		list = append(list, splitList(v)...)
	}
	return list
}

// String names the route as the API's description does.
func (rt route) String() string { return fmt.Sprintf("%s /%s", rt.method, rt.pattern) }
