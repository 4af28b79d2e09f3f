package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// server is one server to be measured.
type server struct {
	name       string
	command    func(bin, addr, port string) []string
	transports []string
	scenarios  []string // empty for all
	path       string
	protocol   string
	args       []string // for the load program
	// needs are the programs without which it can't be measured.
	needs []string
	// prepare builds or installs it into bin, from the folder of the module.
	prepare [][]string
	// version says what it is.
	version func() string
}

const (
	sockets = "websocket"
	polling = "long-polling"
)

func servers(bin string) []*server {
	limit := func(mode string) func(bin, addr, port string) []string {
		return func(bin, addr, _ string) []string {
			return []string{filepath.Join(bin, "limit"), "-mode", mode, "-addr", addr}
		}
	}
	node := func(dir string) func(bin, addr, port string) []string {
		return func(_, _, port string) []string {
			return []string{"node", filepath.Join("peers", dir, "server.js"), port}
		}
	}
	install := func(dir string) [][]string {
		return [][]string{{"npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix", filepath.Join("peers", dir)}}
	}
	buildLimit := [][]string{{"go", "build", "-o", bin + "/", "./peers/limit"}}
	goVersion := func() string { return "this repository's bench/peers/limit" }
	return []*server{
		{
			name: "ours", transports: []string{sockets, polling}, path: "/cometd", protocol: "bayeux",
			prepare: [][]string{{"go", "build", "-o", bin + "/", "./bayeuxserver"}},
			command: func(bin, addr, _ string) []string {
				return []string{filepath.Join(bin, "bayeuxserver"), "-addr", addr}
			},
			version: func() string { return "commit " + output("git", "describe", "--always", "--dirty") },
		},
		{
			name: "ours in a portal", transports: []string{sockets, polling}, scenarios: []string{"open", "idle"}, path: "/cometd", protocol: "bayeux",
			args: []string{"-people"}, prepare: [][]string{{"go", "build", "-o", bin + "/", "./portalserver"}},
			command: func(bin, addr, _ string) []string {
				return []string{filepath.Join(bin, "portalserver"), "-addr", addr}
			},
			version: func() string { return "the same, with all that package httpapi adds, and users" },
		},
		{
			name: "centrifuge", transports: []string{sockets}, path: "/", protocol: "centrifuge",
			prepare: [][]string{{"sh", "peers/centrifuge/build.sh", filepath.Join(bin, "centrifuge")}},
			command: func(bin, addr, _ string) []string {
				return []string{filepath.Join(bin, "centrifuge"), "-addr", addr}
			},
			version: func() string {
				return requirement("peers/centrifuge/centrifuge.mod", "github.com/centrifugal/centrifuge")
			},
		},
		{
			name: "faye", transports: []string{sockets, polling}, path: "/cometd", protocol: "bayeux",
			needs: []string{"node", "npm"}, prepare: install("faye"), command: node("faye"),
			version: func() string { return requirement("peers/faye/package.json", `"faye"`) },
		},
		{
			name: "cometd-nodejs", transports: []string{polling}, path: "/cometd", protocol: "bayeux",
			needs: []string{"node", "npm"}, prepare: install("cometd-nodejs"), command: node("cometd-nodejs"),
			version: func() string {
				return requirement("peers/cometd-nodejs/package.json", `"cometd-nodejs-server"`)
			},
		},
		{
			name: "net/http", transports: []string{polling}, path: "/cometd", protocol: "bayeux",
			prepare: buildLimit, command: limit("polling"), version: goVersion,
		},
		{
			name: "net/http + library", transports: []string{sockets}, path: "/cometd", protocol: "bayeux",
			prepare: buildLimit, command: limit("library"), version: goVersion,
		},
		{
			name: "raw frames", transports: []string{sockets}, path: "/cometd", protocol: "bayeux",
			prepare: buildLimit, command: limit("frames"), version: goVersion,
		},
	}
}

// requirement finds the line of a file that names a package.
func requirement(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, name+" ") || strings.Contains(line, name+":") {
			return strings.Trim(strings.NewReplacer(`"`, "", "require ", "").Replace(line), " \t\n,")
		}
	}
	return "unknown"
}

func output(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// has reports whether a row can be measured with the server.
func (s *server) has(r row) bool {
	return slices.Contains(s.transports, r.transport) && (len(s.scenarios) == 0 || slices.Contains(s.scenarios, r.scenario))
}

// ready makes the server runnable, or says why it is not.
func (s *server) ready(ctx context.Context) error {
	for _, program := range s.needs {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	for _, args := range s.prepare {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}

// pinned puts a command on one processor; negative leaves it free.
func pinned(ctx context.Context, processor int, args []string) *exec.Cmd {
	if processor >= 0 {
		args = append([]string{"taskset", "-c", fmt.Sprint(processor)}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// running is a server that accepts connections.
type running struct {
	cmd  *exec.Cmd
	addr string
}

func (s *server) start(ctx context.Context, bin string, processor int) (*running, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort("127.0.0.1", port)
	r := &running{pinned(ctx, processor, s.command(bin, addr, port)), addr}
	r.cmd.Stderr = os.Stderr
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	for range 200 {
		conn, err := net.DialTimeout("tcp4", addr, time.Second)
		if err == nil {
			_ = conn.Close()
			return r, nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	r.stop()
	return nil, fmt.Errorf("%s does not listen", s.name)
}

// stop kills the server: how it ends is not measured here. It may be called
// again.
func (r *running) stop() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

func freePort() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}
