package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	library = "github.com/webconferencing/webconferencing"
	guide   = "../../doc/connectors.md"
)

// A step is a block of the guide that is preceded by a comment saying what it
// is.
type step struct {
	kind, name string // "file" with its name, "run", "start" with a name, "ask", "answer"
	text       string
}

func steps(t *testing.T) []step {
	t.Helper()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	var list []step
	marked := regexp.MustCompile("(?s)<!-- (\\w+)(?:: (\\S+))? -->\n```\\w+\n(.*?)```\n")
	for _, m := range marked.FindAllStringSubmatch(string(text), -1) {
		list = append(list, step{kind: m[1], name: m[2], text: m[3]})
	}
	if blocks := strings.Count(string(text), "\n```") / 2; len(list) != blocks {
		t.Fatalf("%d of %d blocks say what they are", len(list), blocks)
	}
	return list
}

// TestGuideEndsHere keeps the last form of each file in the guide the one that
// is in this folder.
func TestGuideEndsHere(t *testing.T) {
	last := make(map[string]string)
	for _, s := range steps(t) {
		if s.kind == "file" {
			last[s.name] = s.text
		}
	}
	if len(last) < 8 {
		t.Fatalf("the guide has %d files only", len(last))
	}
	for name, text := range last {
		here, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			t.Error(err)
			continue
		}
		if strings.ReplaceAll(string(here), library+"/examples/connector/roundtable", "example.com/portal/roundtable") != text {
			t.Errorf("%s is not as the guide shows it", name)
		}
	}
}

// TestGuide does literally what the guide says, in an empty folder, except
// that the library comes from this checkout and the ports are free ones.
func TestGuide(t *testing.T) {
	w := &walker{t: t, dir: t.TempDir(), running: make(map[string]*process)}
	w.ports = strings.NewReplacer("127.0.0.1:8080", freeAddr(t), "127.0.0.1:8082", freeAddr(t))
	defer w.stopAll()
	for _, s := range steps(t) {
		text := w.ports.Replace(s.text)
		switch s.kind {
		case "file":
			path := filepath.Join(w.dir, filepath.FromSlash(s.name))
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		case "run":
			for _, line := range lines(text) {
				w.run(line)
			}
		case "start":
			w.start(s.name, strings.TrimSpace(text))
		case "ask":
			for _, line := range lines(text) {
				w.answer = w.ask(line)
			}
		case "answer":
			w.compare(text)
		default:
			t.Fatalf("the guide has a block of the kind %q", s.kind)
		}
	}
	w.sitDown()
}

// sitDown lets Mary come to the table and leave it with the programs of the
// last step, as the guide tells the reader to do in a browser.
func (w *walker) sitDown() {
	const calls = "http://127.0.0.1:8080/portal/rest/webconferencing/calls"
	w.ask(w.ports.Replace(`curl -su mary:demo -H "Content-Type: application/json" -d '{"id": "p/john-mary", "owner": "mary", "ownerType": "user", "provider": "roundtable", "participants": ["mary", "john"], "start": true}' ` + calls))
	var joined struct{ Grant struct{ URL string } }
	if err := json.Unmarshal([]byte(w.ask(w.ports.Replace(`curl -su mary:demo -H "X-Client-Id: terminal" -X POST `+calls+`/p%2Fjohn-mary/join`))), &joined); err != nil {
		w.t.Fatal(err)
	}
	ctx, leave := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.Replace(joined.Grant.URL, "/meet/", "/inside/", 1), http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		w.t.Fatalf("the table answers %s", res.Status)
	}
	w.hears("Mary Williams has joined", 1)
	w.hears("answered 20", 1)
	leave()
	w.hears("Mary Williams has left", 1)
	w.hears("answered 20", 2)
}

// hears waits until the toy server said something.
func (w *walker) hears(text string, times int) {
	w.t.Helper()
	deadline := time.After(10 * time.Second)
	for w.running["toyserver"].said(text) < times {
		select {
		case <-deadline:
			w.t.Fatalf("the toy server did not say %q %d times: %q", text, times, w.running["toyserver"].log)
		case <-time.Tick(20 * time.Millisecond):
		}
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func lines(text string) []string { return strings.Split(strings.TrimSpace(text), "\n") }

// walker walks through the guide.
type walker struct {
	t       *testing.T
	dir     string
	ports   *strings.Replacer
	running map[string]*process
	builds  int
	answer  string
}

type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when all of its output was read

	mu  sync.Mutex
	log []string
}

func (p *process) read(from io.Reader, ready chan<- string) {
	defer close(p.done)
	for in := bufio.NewScanner(from); in.Scan(); {
		p.mu.Lock()
		p.log = append(p.log, in.Text())
		p.mu.Unlock()
		select {
		case ready <- in.Text():
		default:
		}
	}
}

// said counts the lines that contain a text.
func (p *process) said(text string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, line := range p.log {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// run carries out a command of the guide.
func (w *walker) run(line string) {
	w.t.Helper()
	if strings.HasPrefix(line, "go get ") {
		w.useCheckout()
		return
	}
	w.command(strings.Fields(line)...)
}

func (w *walker) command(args ...string) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), args[0], args[1:]...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// useCheckout is what the guide's "go get" does, with this checkout.
func (w *walker) useCheckout() {
	w.t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		w.t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "go.sum"), sums, 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.command("go", "mod", "edit", "-require="+library+"@v0.0.0", "-replace="+library+"="+root)
}

// start builds and starts a program in place of the one of the same name, and
// returns when it says where it is.
func (w *walker) start(name, line string) {
	w.t.Helper()
	w.stop(name)
	args := words(line)
	if len(args) < 3 || args[0] != "go" || args[1] != "run" {
		w.t.Fatalf("%q starts nothing", line)
	}
	w.builds++
	binary := filepath.Join(w.dir, fmt.Sprintf(".%s%d", name, w.builds))
	w.command("go", "build", "-o", binary, args[2])
	options := args[3:]
	if name == "toyserver" {
		options = append(options, "-addr", w.ports.Replace("127.0.0.1:8082"))
	}
	cmd := exec.Command(binary, options...)
	output, err := cmd.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	w.running[name] = p
	ready := make(chan string, 1)
	go p.read(output, ready)
	select {
	case first := <-ready:
		if !strings.Contains(first, "http://") {
			w.t.Fatalf("%s says %q", name, first)
		}
	case <-p.done:
		w.t.Fatalf("%s ended", name)
	case <-time.After(20 * time.Second):
		w.t.Fatalf("%s does not start", name)
	}
	w.await(strings.TrimSpace(w.ports.Replace(map[string]string{"portal": "127.0.0.1:8080", "toyserver": "127.0.0.1:8082"}[name])))
}

// await returns when somebody listens.
func (w *walker) await(addr string) {
	w.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		c, err := (&net.Dialer{}).DialContext(w.t.Context(), "tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-deadline:
			w.t.Fatalf("nobody listens on %s: %v", addr, err)
		case <-time.Tick(20 * time.Millisecond):
		}
	}
}

func (w *walker) stop(name string) {
	p := w.running[name]
	if p == nil {
		return
	}
	delete(w.running, name)
	if err := p.cmd.Process.Kill(); err != nil {
		w.t.Error(err)
	}
	<-p.done
	_ = p.cmd.Wait() // it was killed
}

func (w *walker) stopAll() {
	for name := range w.running {
		w.stop(name)
	}
}

// words splits a line as a shell does, as far as the guide needs it.
func words(line string) []string {
	var list []string
	for _, m := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1) {
		list = append(list, m[1]+m[2]+m[3])
	}
	return list
}

// ask sends the request of a line with curl.
func (w *walker) ask(line string) string {
	w.t.Helper()
	args := words(line)
	if len(args) < 2 || args[0] != "curl" {
		w.t.Fatalf("%q asks nothing", line)
	}
	method, body, user, url := "", "", "", ""
	header := make(http.Header)
	for i := 1; i < len(args); i++ {
		next := func() string {
			if i++; i == len(args) {
				w.t.Fatalf("%q is not complete", line)
			}
			return args[i]
		}
		switch args[i] {
		case "-s":
		case "-su":
			user = next()
		case "-X":
			method = next()
		case "-H":
			name, value, _ := strings.Cut(next(), ": ")
			header.Set(name, value)
		case "-d":
			body = next()
		default:
			url = args[i]
		}
	}
	if method == "" && body != "" {
		method = http.MethodPost
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header = header
	if name, password, ok := strings.Cut(user, ":"); ok {
		r.SetBasicAuth(name, password)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(raw)
}

// compare holds the last answer against the guide: a text is a part of it, an
// object has at least the members shown, "*" stands for the rest of a text.
func (w *walker) compare(want string) {
	w.t.Helper()
	want = strings.TrimSpace(want)
	if !strings.HasPrefix(want, "{") && !strings.HasPrefix(want, "[") {
		if !strings.Contains(w.answer, want) {
			w.t.Errorf("the answer is %.400q, want %q in it", w.answer, want)
		}
		return
	}
	var shown, got any
	if err := json.Unmarshal([]byte(want), &shown); err != nil {
		w.t.Fatalf("%s: %v", want, err)
	}
	if err := json.Unmarshal([]byte(w.answer), &got); err != nil {
		w.t.Fatalf("answer %.400q: %v", w.answer, err)
	}
	if fault := within(shown, got); fault != "" {
		w.t.Errorf("the answer %.600s is not as shown: %s", w.answer, fault)
	}
}

func within(shown, got any) string {
	switch want := shown.(type) {
	case map[string]any:
		have, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%v is no object", got)
		}
		for name, value := range want {
			if fault := within(value, have[name]); fault != "" {
				return name + ": " + fault
			}
		}
	case []any:
		have, _ := got.([]any)
		if len(have) != len(want) {
			return fmt.Sprintf("%v has not %d elements", got, len(want))
		}
		for i := range want {
			if fault := within(want[i], have[i]); fault != "" {
				return fmt.Sprintf("%d: %s", i, fault)
			}
		}
	case string:
		text, ok := got.(string)
		if start, open := strings.CutSuffix(want, "*"); !ok || open && !strings.HasPrefix(text, start) || !open && text != want {
			return fmt.Sprintf("%v is not %q", got, want)
		}
	default:
		if got != shown {
			return fmt.Sprintf("%v is not %v", got, shown)
		}
	}
	return ""
}
