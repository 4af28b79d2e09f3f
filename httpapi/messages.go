package httpapi

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed messages/*.json
var messageFiles embed.FS

const defaultLanguage = "en"

// catalogue holds the texts of the client by language and key. Each language
// is complete: what a translation lacks is there in English.
type catalogue map[string]map[string]string

func loadMessages() (catalogue, error) {
	names, err := fs.Glob(messageFiles, "messages/*.json")
	if err != nil {
		return nil, err
	}
	c := make(catalogue, len(names))
	for _, name := range names {
		raw, err := messageFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		texts := make(map[string]string)
		if err := json.Unmarshal(raw, &texts); err != nil {
			return nil, fmt.Errorf("httpapi: %s: %w", name, err)
		}
		c[strings.TrimSuffix(strings.TrimPrefix(name, "messages/"), ".json")] = texts
	}
	for _, texts := range c {
		for key, english := range c[defaultLanguage] {
			if _, ok := texts[key]; !ok {
				texts[key] = english
			}
		}
	}
	return c, nil
}

// lookup returns the texts in the language nearest to a BCP 47 tag, and which
// language that is. The texts must not be changed.
func (c catalogue) lookup(tag string) (string, map[string]string) {
	tag = strings.ToLower(strings.ReplaceAll(tag, "_", "-"))
	for tag != "" {
		if texts, ok := c[tag]; ok {
			return tag, texts
		}
		tag = tag[:max(strings.LastIndexByte(tag, '-'), 0)]
	}
	return defaultLanguage, c[defaultLanguage]
}
