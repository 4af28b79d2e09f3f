package lane

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// post forms a request to /cometd of header lines and a body.
func post(body string, lines ...string) string {
	return "POST /cometd HTTP/1.1\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// plain forms a good request with further header lines.
func plain(lines ...string) string {
	return post("hello", append([]string{"Host: portal.example", "Content-Length: 5"}, lines...)...)
}

func knownURLs(t testing.TB) map[string]*url.URL {
	t.Helper()
	urls := make(map[string]*url.URL)
	for _, uri := range []string{"/cometd", "/cometd/connect", "/a%2Fb", "/%C3%BC/"} {
		u, err := url.ParseRequestURI(uri)
		if err != nil {
			t.Fatal(err)
		}
		urls[uri] = u
	}
	return urls
}

// taken are requests that must stay, for the others would prove nothing.
func taken() []string {
	many := make([]string, 300)
	for i := range many {
		many[i] = fmt.Sprintf("X-%d: %d", i%250, i)
	}
	return []string{
		plain(),
		plain("Connection: keep-alive"),
		plain("connection: Keep-Alive", "Connection: keep-alive"),
		plain("Cookie: a=b", "Cookie: c=d", "X_Under_score: 1", "9: digits", "-: dash", "x-lower-CASE: 1"),
		plain("X-Empty:", "X-Blank: \t ", "X-Tight:v", "X-Inner: a \t b", "X-Utf: \xc3\xbc", "X-Latin: \xfc\xff\x80"),
		plain("Keep-Alive: timeout=5", "Cache-Control: no-cache", "Content_Length: 7", "Transfer_Encoding: chunked"),
		plain("Content-Type: application/json", "Content-Encoding: gzip", "Origin: https://portal.example"),
		plain(many...),
		post("", "Host: portal.example", "Content-Length: 0"),
		post("", "Host: portal.example", "Content-Length: 00"),
		post("hello", "hOST: [::1]:80", "cONTENT-lENGTH:\t000005 "),
		post("hello", "Host: 127.0.0.1:8080", "Content-Length: 5"),
		post("hello", "Host: a_b.example", "Content-Length: 5"),
		plain() + plain(),
		plain() + "\r\n" + plain(),
		plain() + "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		strings.Replace(plain(), "/cometd", "/a%2Fb", 1),
		strings.Replace(plain(), "/cometd", "/%C3%BC/", 1),
		post("\r\n\r\n\x00", "Host: portal.example", "Content-Length: 5"),
	}
}

// left are requests that net/http must decide about, most of them attempts to
// have two parties see different requests.
func left() []string {
	list := []string{
		"GET /cometd HTTP/1.1\r\nHost: portal.example\r\nContent-Length: 5\r\n\r\nhello",
		"post /cometd HTTP/1.1\r\nHost: portal.example\r\nContent-Length: 5\r\n\r\nhello",
		"POST  /cometd HTTP/1.1\r\nHost: portal.example\r\nContent-Length: 5\r\n\r\nhello",
		"POST /cometd  HTTP/1.1\r\nHost: portal.example\r\nContent-Length: 5\r\n\r\nhello",
		"POST /cometd HTTP/1.0\r\nHost: portal.example\r\nContent-Length: 5\r\n\r\nhello",
		"POST /cometd HTTP/1.1 \r\nHost: portal.example\r\nContent-Length: 5\r\n\r\nhello",
		"POST /cometd HTTP/2.0\r\nHost: portal.example\r\nContent-Length: 5\r\n\r\nhello",
		"POST /cometd\r\nHost: portal.example\r\nContent-Length: 5\r\n\r\nhello",
		"POST /cometd HTTP/1.1\nHost: portal.example\nContent-Length: 5\n\nhello\r\n\r\n",
		"POST /cometd?a=b HTTP/1.1\r\nHost: portal.example\r\nContent-Length: 5\r\n\r\nhello",
		"POST /COMETD HTTP/1.1\r\nHost: portal.example\r\nContent-Length: 5\r\n\r\nhello",
		"POST http://other.example/cometd HTTP/1.1\r\nHost: portal.example\r\nContent-Length: 5\r\n\r\nhello",
		"POST * HTTP/1.1\r\nHost: portal.example\r\nContent-Length: 5\r\n\r\nhello",
		"\r\n" + plain(),
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		post("", "Host: portal.example"),
		post("hello", "Content-Length: 5"),
		post("hello", "Host:", "Content-Length: 5"),
		plain("Host: portal.example"),
		plain("host: other.example"),
		plain("Expect: 100-continue"),
		plain("Upgrade: websocket", "Connection: upgrade"),
		plain("Upgrade: h2c"),
		plain("Trailer: X"),
		plain("TE: trailers"),
		plain("Pragma: no-cache"),
		plain(" folded: 1"),
		plain("X: 1", " folded"),
		plain("X: 1", "\tfolded"),
		plain("X: 1", " "),
		post("hello", " Host: portal.example", "Host: portal.example", "Content-Length: 5"),
		plain("nocolon"),
		plain(": empty"),
		plain("X-Big: " + strings.Repeat("x", roomBytes)),
		post(strings.Repeat("x", roomBytes), "Host: portal.example", fmt.Sprint("Content-Length: ", roomBytes)),
		plain("X: a\nContent-Length: 7"),
		plain("X: a\rContent-Length: 7"),
		plain("X: a\n\nGET / HTTP/1.1"),
		plain("X: a\r"),
		plain("\rX: a"),
		plain("\nX: a"),
		plain("X: a\n"),
	}
	for _, host := range []string{"a b", "a/b", "a@b", "a,b", "a\tb", "\xc3\xbc", "a#b", "a?b", "a\\b", "a%41", "a\x00"} {
		list = append(list, post("hello", "Host: "+host, "Content-Length: 5"))
	}
	for _, length := range []string{"", "+5", "-5", "5 5", "5,5", "5, 5", "0x5", "5.0", "5;", "\"5\"", "5\x00", "5\x0b", "\x0c5", "\xef\xbc\x95", "1e1", "5_0",
		"18446744073709551621", "9223372036854775808", "4294967301", "0000005", "nan"} {
		list = append(list, post("hello", "Host: portal.example", "Content-Length: "+length))
	}
	for _, again := range []string{"Content-Length: 5", "Content-Length: 6", "content-length: 5", "CONTENT-LENGTH:0", "Content-Length : 5", "Content-Length\t: 6",
		"Content-Length\x00: 6", "Content-Length", "Content-Length;: 6"} {
		list = append(list, plain(again), post("hello", again, "Host: portal.example", "Content-Length: 5"))
	}
	for _, te := range []string{"Transfer-Encoding: chunked", "transfer-encoding: chunked", "TRANSFER-ENCODING:chunked", "Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked",
		"Transfer-Encoding: xchunked", "Transfer-Encoding: identity", "Transfer-Encoding: chunked, identity", "Transfer-Encoding:", "Transfer-Encoding:\tchunked",
		"Transfer-Encoding: \x0bchunked", "X: y\nTransfer-Encoding: chunked", "X: y\rTransfer-Encoding: chunked", " Transfer-Encoding: chunked",
		"\xefTransfer-Encoding: chunked", "Transfer-Encoding\xff: chunked", "Transfer-Encoding\r\n : chunked", "Transfer-Encoding:\r\n chunked"} {
		list = append(list, post("0\r\n\r\n", "Host: portal.example", "Content-Length: 5", te), post("5\r\nhello\r\n0\r\n\r\n", "Host: portal.example", te))
	}
	for _, value := range []string{"close", "Close", "keep-alive, close", "close, keep-alive", "X", "keep-alive, X", "upgrade", "", ",", "keep-alive,"} {
		list = append(list, plain("Connection: "+value), plain("Connection: keep-alive", "Connection: "+value))
	}
	for _, c := range "\x00\x01\x08\x0b\x0c\x0e\x1f\x7f" {
		list = append(list, plain("X: a"+string(c)+"b"), plain("X"+string(c)+": a"))
	}
	for _, c := range " \t\"(),/;<=>?@[\\]{}\xff" {
		list = append(list, plain("X"+string(c)+" y: a"))
	}
	return list
}

// compare fails if parse takes a request that net/http would understand in
// another way.
func compare(t *testing.T, b []byte) verdict {
	t.Helper()
	urls := knownURLs(t)
	b = b[:min(len(b), roomBytes)]
	q, size, v := parse(b, urls, roomBytes)
	if v != complete {
		return v
	}
	for _, n := range []int{size - 1, size - len(q.body) - 1, size / 2, 1} {
		if _, _, v := parse(b[:n], urls, roomBytes); v != incomplete {
			t.Errorf("%d of %d bytes are %d: %q", n, size, v, b[:n])
		}
	}
	source := bytes.NewReader(b)
	reader := bufio.NewReader(source)
	want, err := http.ReadRequest(reader)
	if err != nil {
		t.Fatalf("net/http does not take %q: %v", b, err)
	}
	body, err := io.ReadAll(want.Body)
	if err != nil {
		t.Fatalf("body of %q: %v", b, err)
	}
	if want.Method != http.MethodPost || want.Proto != "HTTP/1.1" || want.Close || want.TransferEncoding != nil || want.Trailer != nil {
		t.Fatalf("net/http sees %+v in %q", want, b)
	}
	want.Header.Del("Host") // as the server does
	if q.uri != want.RequestURI || !reflect.DeepEqual(q.url, want.URL) || q.host != want.Host {
		t.Errorf("%q, %v, %q; want %q, %v, %q", q.uri, q.url, q.host, want.RequestURI, want.URL, want.Host)
	}
	if !reflect.DeepEqual(q.header, want.Header) {
		t.Errorf("header %q; want %q", q.header, want.Header)
	}
	if !bytes.Equal(q.body, body) || int64(len(q.body)) != want.ContentLength {
		t.Errorf("body %q; want %q of %d", q.body, body, want.ContentLength)
	}
	if got, want := len(b)-size, source.Len()+reader.Buffered(); got != want {
		t.Errorf("%d bytes are left; want %d: %q", got, want, b)
	}
	return v
}

func FuzzParse(f *testing.F) {
	for _, text := range append(taken(), left()...) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) { compare(t, b) })
}

// TestParse also has a real server serve what parse takes.
func TestParse(t *testing.T) {
	for _, text := range taken() {
		if v := compare(t, []byte(text)); v != complete {
			t.Errorf("%d for %q", v, text)
			continue
		}
		q, _, _ := parse([]byte(text), knownURLs(t), roomBytes)
		if status, body := askServer(t, text); status != http.StatusOK || body != string(q.body) {
			t.Errorf("net/http's server: status %d, %q, for %q", status, body, text)
		}
	}
	for _, text := range left() {
		if v := compare(t, []byte(text)); v == complete {
			t.Errorf("takes %q", text)
		}
	}
}

// askServer gives bytes to a server that sends back the body of the request.
func askServer(t *testing.T, text string) (int, string) {
	t.Helper()
	here, there := net.Pipe()
	conns := make(chan net.Conn, 1)
	conns <- there
	h := &host{back: conns, done: make(chan struct{})}
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})}
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(listener{h}) }()
	go func() { _, _ = io.WriteString(here, text) }()
	defer func() {
		_, _ = here.Close(), web.Close()
		<-ended
	}()
	response, err := http.ReadResponse(bufio.NewReader(here), nil)
	if err != nil {
		t.Fatalf("%v for %q", err, text)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// listener is a host without a lane.
type listener struct{ *host }

func (l listener) Addr() net.Addr { return &net.UnixAddr{} }

// TestGiveAddsNoLayer gives back a connection that was given back before.
func TestGiveAddsNoLayer(t *testing.T) {
	here, there := net.Pipe()
	defer func() { _, _ = here.Close(), there.Close() }()
	for _, c := range []struct{ early, before, want string }{
		{"ab", "cd", "abcd"}, {"ab", "", "ab"}, {"", "cd", "cd"},
	} {
		h := &host{back: make(chan net.Conn, 1)}
		h.give(&earlyConn{here, []byte(c.before)}, []byte(c.early))
		if got := (<-h.back).(*earlyConn); got.Conn != here || string(got.early) != c.want {
			t.Errorf("%T with %q; want %q", got.Conn, got.early, c.want)
		}
	}
}

// TestParseKeepsToTheSmallerHeader has a server with a limit below that of the
// lane.
func TestParseKeepsToTheSmallerHeader(t *testing.T) {
	text := []byte(plain())
	end := len(text) - len("hello")
	if _, _, v := parse(text, knownURLs(t), end); v != complete {
		t.Errorf("a header of the limit's size: %d", v)
	}
	if _, _, v := parse(text, knownURLs(t), end-1); v != foreign {
		t.Errorf("a header above the limit: %d", v)
	}
	if _, _, v := parse(text[:end-2], knownURLs(t), end-2); v != foreign {
		t.Errorf("an unfinished header above the limit: %d", v)
	}
}
