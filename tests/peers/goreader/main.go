// goreader reads YAML as Argo CD does, and says what it saw.
//
// Each line of stdin is a JSON string, a stream of manifests; each line of stdout answers it with {"objects": [...]} or
// {"error": "..."}. The way is that of gitops-engine's SplitYAML (pkg/utils/kube/kube.go), taken twice, as the sidecar and
// the repo-server both take it: NewYAMLOrJSONDecoder into a RawExtension, then sigs.k8s.io/yaml over the raw JSON.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

func splitToStrings(data []byte) ([]string, error) {
	decoder := kubeyaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	var found []string
	for {
		raw := runtime.RawExtension{}
		if err := decoder.Decode(&raw); err != nil {
			if errors.Is(err, io.EOF) {
				return found, nil
			}
			return nil, err
		}
		text := bytes.TrimSpace(raw.Raw)
		if len(text) == 0 || bytes.Equal(text, []byte("null")) {
			continue
		}
		found = append(found, string(text))
	}
}

func split(data []byte) ([]any, error) {
	texts, err := splitToStrings(data)
	if err != nil {
		return nil, err
	}
	again, err := splitToStrings([]byte(strings.Join(texts, "\n---\n")))
	if err != nil {
		return nil, err
	}
	objects := []any{}
	for _, text := range again {
		var content map[string]any
		if err := yaml.Unmarshal([]byte(text), &content); err != nil {
			return nil, err
		}
		object := &unstructured.Unstructured{Object: content}
		if !object.IsList() {
			objects = append(objects, content)
			continue
		}
		items, _ := content["items"].([]any)
		objects = append(objects, items...)
	}
	return objects, nil
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			answer(line, out)
		}
		if err != nil {
			return
		}
	}
}

func answer(line []byte, out io.Writer) {
	var stream string
	result := map[string]any{}
	if err := json.Unmarshal(line, &stream); err != nil {
		result["error"] = err.Error()
	} else if objects, err := split([]byte(stream)); err != nil {
		result["error"] = err.Error()
	} else {
		result["objects"] = objects
	}
	text, err := json.Marshal(result)
	if err != nil {
		text, _ = json.Marshal(map[string]any{"error": err.Error()})
	}
	fmt.Fprintf(out, "%s\n", text)
}
