// Command vulndb tells whether the database that govulncheck needs can be
// reached, so that "no vulnerability was found" is never said when nothing was
// looked up. The database is at GOVULNDB (http, https or file), or where
// govulncheck looks by default.
//
// It exits with 0 when the database answers, with 75 when nothing answers at
// that address, and with 1 when something answers that is not the database.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	defaultDatabase = "https://vuln.go.dev"
	exitWrong       = 1
	exitUnreachable = 75
	maxIndex        = 1 << 20
)

func main() {
	database := os.Getenv("GOVULNDB")
	if database == "" {
		database = defaultDatabase
	}
	reached, err := probe(strings.TrimSuffix(database, "/"))
	switch {
	case err == nil:
		fmt.Println("the vulnerability database answers:", database)
	case reached:
		fmt.Printf("%s is not a vulnerability database: %v\n", database, err)
		os.Exit(exitWrong)
	default:
		fmt.Printf("THE VULNERABILITY DATABASE CAN'T BE REACHED, SO NOTHING WAS CHECKED: %v\n", err)
		fmt.Println("Set GOVULNDB to a copy (file:///folder or a URL) to check without the internet.")
		os.Exit(exitUnreachable)
	}
}

// probe reads the database's index. reached tells an answer that is wrong from
// none at all.
func probe(database string) (reached bool, err error) {
	address, err := url.Parse(database + "/index/db.json")
	if err != nil {
		return true, err
	}
	var body io.ReadCloser
	if address.Scheme == "file" {
		if body, err = os.Open(filepath.FromSlash(address.Path)); err != nil {
			return true, err
		}
	} else {
		client := &http.Client{Timeout: 20 * time.Second}
		answer, err := client.Get(address.String())
		if err != nil {
			return false, err
		}
		body = answer.Body
		if answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("it answers %s", answer.Status)
			return true, err
		}
	}
	defer body.Close()
	var index struct{ Modified time.Time }
	if err := json.NewDecoder(io.LimitReader(body, maxIndex)).Decode(&index); err != nil {
		return true, err
	}
	if index.Modified.IsZero() {
		return true, fmt.Errorf("its index has no date")
	}
	fmt.Println("its newest entry is of", index.Modified.Format(time.DateOnly))
	return true, nil
}
