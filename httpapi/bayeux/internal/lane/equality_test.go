package lane_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

type contextKey string

// seen is what a handler can see of a request.
type seen struct {
	Outer, Inner *http.Request
	Body         string
	NoBody       bool
	Rest         string // of the path
	Values       map[any]any
	Response     http.Header
}

// copied returns what there is of a request, for comparing.
func copied(r *http.Request) *http.Request {
	c := r.Clone(context.Background())
	c.Body, c.GetBody = nil, nil
	return c
}

// portal is a handler with middleware that changes all it can.
func portal(t *testing.T, take func(http.ResponseWriter, *http.Request), sink chan<- seen) http.Handler {
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := seen{Inner: copied(r), NoBody: r.Body == http.NoBody, Rest: r.PathValue("rest"), Values: make(map[any]any)}
		for _, key := range []any{http.ServerContextKey, contextKey("base"), contextKey("conn"), contextKey("outer"), contextKey("none")} {
			s.Values[key] = r.Context().Value(key)
		}
		s.Values["local"] = fmt.Sprint(r.Context().Value(http.LocalAddrContextKey))
		if _, ok := r.Context().Deadline(); ok || r.Context().Err() != nil {
			t.Errorf("the request has ended: %v", r.Context().Err())
		}
		body, err := io.ReadAll(r.Body)
		if s.Body = string(body); err != nil {
			t.Error(err)
		}
		s.Outer, _ = r.Context().Value(contextKey("raw")).(*http.Request)
		s.Response = w.Header().Clone()
		sink <- s
		r.Body = io.NopCloser(strings.NewReader(s.Body))
		take(w, r)
	})
	mux := http.NewServeMux()
	mux.Handle("POST /api/{rest...}", http.StripPrefix("/api", inner))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), contextKey("raw"), copied(r))
		ctx = context.WithValue(ctx, contextKey("outer"), r.Header.Get("X-Turn"))
		r.Header.Set("X-Added", "yes")
		r.Header.Add("X-Many", "more")
		r.Header.Del("Cookie")
		if agent := r.Header["User-Agent"]; len(agent) > 0 {
			agent[0] = "changed"
		}
		r.Host = "changed.example"
		w.Header().Add("X-Portal", "yes")
		mux.ServeHTTP(w, r.WithContext(ctx))
		r.URL.Path, r.URL.RawQuery, r.URL.User = "/changed", "a=b", url.User("changed")
		r.RemoteAddr, r.RequestURI, r.Method = "changed", "/changed", http.MethodGet
		r.Pattern = "changed"
		_ = r.ParseForm()
	})
}

func TestHandlerSeesTheSame(t *testing.T) {
	sink := make(chan seen, 1)
	everywhere(t, func(s *site) {
		s.web.Handler = portal(t, func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path = "/take" // only for the site
			r.RequestURI = "/api/some%2Fwhere"
			s.ServeHTTP(w, r)
		}, sink)
		s.web.BaseContext = func(l net.Listener) context.Context {
			return context.WithValue(context.Background(), contextKey("base"), l.Addr().String())
		}
		s.web.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, contextKey("conn"), fmt.Sprintf("%T %v", c, c.RemoteAddr()))
		}
	}, func(t *testing.T, s *site) {
		for _, body := range []string{"", "body"} {
			l := s.line(t)
			var first seen
			for turn := range 5 {
				l.send(post("/api/some%2Fwhere", body, "Cookie: a=b", "User-Agent: tester", "X-Many: 1", "x-many: 2", "X-Empty:", "Content-Type: application/json"))
				got := <-sink
				want := "200 /api/some%2Fwhere " + body
				if answer := l.receive(); answer != want {
					t.Fatalf("%q; want %q", answer, want)
				}
				if turn == 0 {
					first = got
					if got.Rest != "some/where" || got.Inner.URL.Path != "/some/where" || got.Inner.Pattern != "POST /api/{rest...}" || got.Body != body {
						t.Fatalf("%+v", got)
					}
				}
				if !reflect.DeepEqual(got, first) {
					t.Errorf("request %d:\n%s\nwant\n%s", turn, describe(got), describe(first))
				}
			}
			_ = l.Close()
		}
	})
}

func describe(s seen) string {
	return strings.Join([]string{
		fmt.Sprintf("%+v", *s.Outer), fmt.Sprintf("%+v %#v", *s.Inner, s.Inner.URL), fmt.Sprint(s.Body, s.NoBody, s.Rest, s.Values, s.Response),
	}, "\n")
}

// TestContextEndsWithItsRequest looks at a context from outside and through
// children.
func TestContextEndsWithItsRequest(t *testing.T) {
	type ends struct{ own, child, fresh context.Context }
	sink := make(chan ends, 1)
	everywhere(t, func(s *site) {
		h := s.web.Handler
		s.web.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			child, cancel := context.WithCancel(r.Context())
			_ = context.AfterFunc(child, cancel)
			sink <- ends{r.Context(), child, context.WithValue(r.Context(), contextKey("x"), "y")}
			h.ServeHTTP(w, r)
		})
	}, func(t *testing.T, s *site) {
		l := s.line(t)
		for range 3 {
			l.send(post("/take", "x"))
			e := <-sink
			l.receive()
			<-e.child.Done()
			<-e.own.Done()
			for _, ctx := range []context.Context{e.own, e.child, e.fresh} {
				<-ctx.Done()
				if ctx.Err() != context.Canceled || context.Cause(ctx) != context.Canceled {
					t.Errorf("%v, %v", ctx.Err(), context.Cause(ctx))
				}
			}
			after, cancel := context.WithCancel(e.own)
			<-after.Done()
			cancel()
		}
	})
}
