// Command builder is what a peer calls to "build" a chaincode that already runs as a service: it
// only hands on where that service is. A peer's external builder is a folder with three programs,
// detect, build and release; this one program is all three, told apart by its name, and static, so
// that it also runs in a container that holds nothing else.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

const (
	packageType    = "ccaas"
	connectionFile = "connection.json"
)

func main() {
	if err := run(filepath.Base(os.Args[0]), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run carries out one step; the folders in arguments are those that the peer names.
func run(step string, arguments []string) error {
	wanted := map[string]int{"detect": 2, "build": 3, "release": 2}
	if count, known := wanted[step]; !known || len(arguments) < count {
		return fmt.Errorf("call it as detect, build or release, with the peer's folders")
	}
	switch step {
	case "detect": // source, metadata
		return detect(filepath.Join(arguments[1], "metadata.json"))
	case "build": // source, metadata, output
		return handOn(arguments[0], arguments[2])
	default: // build output, release
		return handOn(arguments[0], filepath.Join(arguments[1], "chaincode", "server"))
	}
}

func detect(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var metadata struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(text, &metadata); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if metadata.Type != packageType {
		return fmt.Errorf("%s: type %q is not %q", path, metadata.Type, packageType)
	}
	return nil
}

func handOn(from, to string) error {
	text, err := os.ReadFile(filepath.Join(from, connectionFile))
	if err != nil {
		return err
	}
	if !json.Valid(text) {
		return fmt.Errorf("%s of the package is no JSON", connectionFile)
	}
	if err := os.MkdirAll(to, 0o750); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, connectionFile), text, 0o600)
}
