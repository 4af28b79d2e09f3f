package lane

import (
	"io"
	"log"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/lazycontext"
)

// Response is the http.ResponseWriter of a request of a Lane.
type Response struct {
	conn     *conn
	header   http.Header
	exchange *exchange
	detached bool
	shrinks  bool
	left     bool   // another goroutine reads
	status   int    // 0 before it is decided
	head     []byte // header lines, as they were when it was
	length   int    // of the body, as the handler says; -1 if it does not
	body     []byte // what is not sent yet
	written  int    // bytes of the body so far
	sent     bool   // the header is out
	sniffs   bool   // the body tells its type
	dated    bool   // the handler says, or does not want to say, when
	chunked  bool   // the body is sent in pieces of their own length
	wentOn   bool   // GoOn was called; under conn.mu
	fallen   bool   // the handler panicked; under conn.mu
	err      error
}

// maxBody is how much of a body is kept to find out its length.
const maxBody = 64 << 10

// Detach takes the request out of the handler's hands: the handler must not use
// the response any more, and returns. It reports false if the response has begun.
func (w *Response) Detach() (Pending, bool) {
	if w.status != 0 || w.detached {
		return Pending{}, false
	}
	w.detached = true
	c := w.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = true
	c.number++
	c.head = appendHeader(c.head[:0], w.header)
	c.closing = c.closing || endsConnection(w.header)
	return Pending{c, c.number}, true
}

// Shrink lets the connection be read by a fresh goroutine, whose stack is small,
// when the handler has returned. It is for requests that will wait for long.
func (w *Response) Shrink() { w.shrinks = true }

// GoOn lets a fresh goroutine read from the connection and handle requests in
// place of the one that is kept by the handler, which must call Leave before it
// returns. The request must have been detached.
func (w *Response) GoOn() {
	_ = w.exchange.body.Close() // cannot fail
	c := w.conn
	c.mu.Lock()
	fallen := w.fallen
	w.wentOn = true
	c.mu.Unlock()
	if fallen {
		return // the goroutine that ran the handler ends the connection
	}
	c.host.lane.opts.Start(c.serve)
}

// Leave is for the handler for which GoOn is called, before or after that.
func (w *Response) Leave() { w.left = true }

// Header implements http.ResponseWriter.
func (w *Response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *Response) WriteHeader(status int) {
	if w.status != 0 || w.detached {
		return
	}
	if status < 100 || status > 999 {
		panic("invalid WriteHeader code " + strconv.Itoa(status)) // as net/http does
	}
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.inform(status)
		return
	}
	w.status, w.length = status, -1
	if n, err := strconv.Atoi(w.header.Get("Content-Length")); err == nil && n >= 0 {
		w.length = n
	}
	if endsConnection(w.header) {
		w.conn.mu.Lock()
		w.conn.closing = true
		w.conn.mu.Unlock()
	}
	_, typed := w.header["Content-Type"]
	coded := w.header.Get("Content-Encoding") != "" || w.header.Get("Transfer-Encoding") != ""
	w.sniffs = !typed && !coded && hasBody(status)
	_, w.dated = w.header["Date"]
	w.head = appendHeader(nil, w.header)
	w.head = appendFields(w.head, w.header, "Date")
	if status != http.StatusNotModified {
		w.head = appendFields(w.head, w.header, "Content-Type")
	}
}

// inform sends a response that is not the last.
func (w *Response) inform(status int) {
	if w.err == nil {
		b := appendHeader(appendStatus(nil, status), w.header)
		w.err = w.conn.write(append(b, lineEnd...))
	}
}

// endsConnection reports whether a response is to be the last.
func endsConnection(h http.Header) bool {
	for _, line := range h["Connection"] {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), "close") {
				return true
			}
		}
	}
	return false
}

// Write implements io.Writer.
func (w *Response) Write(b []byte) (int, error) {
	switch {
	case w.detached:
		return 0, http.ErrHijacked
	case w.err != nil:
		return 0, w.err
	}
	w.WriteHeader(http.StatusOK)
	switch {
	case len(b) == 0:
		return 0, nil
	case !hasBody(w.status):
		return 0, http.ErrBodyNotAllowed
	case w.length >= 0 && w.written+len(b) > w.length:
		return 0, http.ErrContentLength
	}
	w.written += len(b)
	w.body = append(w.body, b...)
	if len(w.body) > maxBody {
		if err := w.FlushError(); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// FlushError sends what was written.
func (w *Response) FlushError() error {
	switch {
	case w.detached:
		return http.ErrHijacked
	case w.err != nil:
		return w.err
	}
	w.WriteHeader(http.StatusOK)
	w.send(false)
	return w.err
}

// Flush implements http.Flusher.
func (w *Response) Flush() {
	// Write reports the error.
	_ = w.FlushError()
}

// SetReadDeadline does nothing, because the body has been read.
func (w *Response) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing: each write has its time.
func (w *Response) SetWriteDeadline(time.Time) error { return nil }

// EnableFullDuplex does nothing, because the body has been read.
func (w *Response) EnableFullDuplex() error { return nil }

func hasBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// send sends what there is, which with last is all.
func (w *Response) send(last bool) {
	var b []byte
	if !w.sent {
		b = w.begin(last)
	}
	if !w.chunked {
		b = append(b, w.body...)
	} else if len(w.body) > 0 {
		b = append(strconv.AppendInt(b, int64(len(w.body)), 16), lineEnd...)
		b = append(append(b, w.body...), lineEnd...)
	}
	if w.chunked && last {
		b = append(b, "0"+headerEnd...)
	}
	w.body = w.body[:0]
	if len(b) > 0 {
		w.err = w.conn.write(b)
	}
}

// begin forms the header.
func (w *Response) begin(last bool) []byte {
	w.sent = true
	c, length := w.conn, w.length
	if last && length < 0 {
		length = w.written
	}
	b := append(appendStatus(nil, w.status), w.head...)
	if w.sniffs && len(w.body) > 0 {
		b = appendField(b, "Content-Type", http.DetectContentType(w.body))
	}
	if !w.dated {
		b = c.host.lane.appendDate(b)
	}
	c.mu.Lock()
	closing := c.closing
	c.mu.Unlock()
	if closing {
		b = appendField(b, "Connection", "close")
	}
	switch {
	case !hasBody(w.status):
	case length >= 0:
		b = appendField(b, "Content-Length", strconv.Itoa(length))
	default:
		w.chunked = true
		b = appendField(b, "Transfer-Encoding", "chunked")
	}
	return append(b, lineEnd...)
}

// finish sends the rest of the response. It reports whether the connection can
// be used again.
func (w *Response) finish() bool {
	w.WriteHeader(http.StatusOK)
	if w.err == nil {
		w.send(true)
	}
	c := w.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.err != nil || w.length >= 0 && w.written < w.length && hasBody(w.status) || c.closing {
		c.broken = true
		return false
	}
	if c.idle > 0 {
		c.armLocked(c.idle)
	}
	return true
}

// write writes everything, and waits if it must.
func (c *conn) write(b []byte) error {
	if c.plain.Usable() {
		n, err := c.plain.Write(b)
		if err != nil || n == len(b) {
			return err
		}
		b = b[n:]
	}
	return c.writeSlowly(b)
}

// appendHeader appends the lines of a header that are for whoever answers to
// choose.
func appendHeader(b []byte, h http.Header) []byte {
	for name, values := range h {
		switch name {
		case "Connection", "Content-Length", "Content-Type", "Date", "Trailer", "Transfer-Encoding":
			continue
		}
		if !isToken(name) {
			continue // such as those that stand for trailers
		}
		for _, value := range values {
			b = appendField(b, name, value)
		}
	}
	return b
}

func appendFields(b []byte, h http.Header, name string) []byte {
	for _, value := range h[name] {
		b = appendField(b, name, value)
	}
	return b
}

// isToken reports whether a name is one that net/http writes.
func isToken(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isLetter(c) && !isDigit(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	start := len(b)
	b = append(b, strings.Trim(value, " \t")...)
	for i := start; i < len(b); i++ {
		if b[i] == '\r' || b[i] == '\n' {
			b[i] = ' '
		}
	}
	return append(b, lineEnd...)
}

// exchange is what one request needs, in one piece.
type exchange struct {
	response Response
	ctx      lazycontext.Context // ends with the handler
	body     body
	url      url.URL
}

// handle has a request answered, or taken out of the handler's hands.
func (c *conn) handle(q *request) outcome {
	const usual = 8 // header fields of a response
	e := &exchange{url: *q.url}
	e.response.conn, e.response.exchange, e.response.header = c, e, make(http.Header, usual)
	e.ctx.Init(c.base.Context(), time.Time{})
	e.body.rest = q.body
	r := c.base.WithContext(&e.ctx)
	r.URL, r.RequestURI, r.Host, r.Header = &e.url, q.uri, q.host, q.header
	r.Body, r.ContentLength = &e.body, int64(len(q.body))
	if len(q.body) == 0 {
		r.Body = http.NoBody
	}
	ended := true
	defer func() {
		// A handler that ends its goroutine ends the connection, as in net/http.
		if ended && e.response.fall() == drop {
			c.finish(false)
		}
	}()
	ok := c.run(&e.response, r)
	ended = false
	switch {
	case e.response.left:
		return moved
	case !ok:
		return e.response.fall()
	case e.response.detached && e.response.shrinks:
		return move
	case e.response.detached:
		return stay
	case e.response.finish():
		return stay
	}
	return drop
}

// fall says what comes after a handler that has panicked: another goroutine may
// read already.
func (w *Response) fall() outcome {
	c := w.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.wentOn {
		return moved
	}
	w.fallen = true
	return drop
}

// run calls the handler. It reports false if that has panicked.
func (c *conn) run(w *Response, r *http.Request) (ok bool) {
	web := c.host.web
	defer func() {
		fault := recover()
		w.exchange.ctx.End()
		_ = w.exchange.body.Close() // cannot fail
		if ok = fault == nil; ok || fault == http.ErrAbortHandler {
			return
		}
		logf := log.Printf
		if web.ErrorLog != nil {
			logf = web.ErrorLog.Printf
		}
		logf("http: panic serving %v: %v\n%s", r.RemoteAddr, fault, debug.Stack())
	}()
	handler := web.Handler
	if handler == nil {
		handler = http.DefaultServeMux
	}
	handler.ServeHTTP(w, r)
	return true
}

// body is what a request carries, for as long as it is handled.
type body struct {
	mu   sync.Mutex
	rest []byte
	over bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.over:
		return 0, http.ErrBodyReadAfterClose
	case len(b.rest) == 0:
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over, b.rest = true, nil
	return nil
}
