package httpapi_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails if a goroutine of ours is left after all tests.
func TestMain(m *testing.M) {
	code := m.Run()
	var left string
	for range 100 {
		if left = ours(); left == "" {
			os.Exit(code)
		}
		time.Sleep(20 * time.Millisecond)
	}
	fmt.Fprintf(os.Stderr, "goroutines left:\n%s\n", left)
	os.Exit(1)
}

func ours() string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var list []string
	for _, stack := range strings.Split(string(buf), "\n\n") {
		if strings.Contains(stack, "webconferencing") && !strings.Contains(stack, "TestMain") {
			list = append(list, stack)
		}
	}
	return strings.Join(list, "\n\n")
}
