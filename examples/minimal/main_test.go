package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestServe starts the program as main does, asks it what README.md asks it,
// and stops it.
func TestServe(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, listener, filepath.Join(t.TempDir(), "calls.db")) }()

	base := "http://" + listener.Addr().String()
	if status, body := ask(t, http.MethodGet, base+"/portal/rest/webconferencing/user/john", "mary", ""); status != http.StatusOK || body["title"] != "John Smith" {
		t.Errorf("user: status %d, body %v", status, body)
	}
	if status, body := ask(t, http.MethodGet, base+"/portal/rest/webconferencing/user/john", "nobody", ""); status != http.StatusUnauthorized || body["code"] != "ACCESS_ERROR" {
		t.Errorf("user for a stranger: status %d, body %v", status, body)
	}
	call := `{"id":"p/john-mary","owner":"john","ownerType":"user","provider":"webrtc","participants":["john","mary"],"start":true}`
	if status, body := ask(t, http.MethodPost, base+"/portal/rest/webconferencing/calls", "mary", call); status != http.StatusOK || body["state"] != "started" {
		t.Errorf("create call: status %d, body %v", status, body)
	}

	stop()
	select {
	case err := <-served:
		if err != nil {
			t.Errorf("serve: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("serve did not end")
	}
}

func ask(t *testing.T, method, url, user, body string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(user, "demo")
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var fields map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&fields); err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return answer.StatusCode, fields
}

// TestReadme keeps the program in README.md the one that is tested here.
func TestReadme(t *testing.T) {
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(program), "package main\n")
	if !strings.Contains(string(readme), "```go\npackage main\n"+code+"```\n") {
		t.Error("README.md does not show main.go as it is")
	}
}
