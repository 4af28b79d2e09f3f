package httpapi

import _ "embed"

// openAPI describes the REST resources. It is written by hand and a test holds
// it against the routes and their answers.
//
//go:embed openapi.json
var openAPI []byte
