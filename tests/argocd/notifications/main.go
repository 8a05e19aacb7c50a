// Command notifications runs the triggers and templates of a notifications ConfigMap by Argo CD's own engine.
//
// The argument is a file of YAML documents with the ConfigMap first; standard input has one Application (JSON) a line.
// For each it prints a JSON object: the message of every trigger that fires, by the trigger's name.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/argoproj/notifications-engine/pkg/services"
	"github.com/argoproj/notifications-engine/pkg/templates"
	"github.com/argoproj/notifications-engine/pkg/triggers"
	"sigs.k8s.io/yaml"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	check(err)
	var settings struct{ Data map[string]string }
	check(yaml.Unmarshal(text, &settings))
	conditions := map[string][]triggers.Condition{}
	notifications := map[string]services.Notification{}
	for key, value := range settings.Data {
		if name, ok := strings.CutPrefix(key, "trigger."); ok {
			var parsed []triggers.Condition
			check(yaml.UnmarshalStrict([]byte(value), &parsed))
			conditions[name] = parsed
		}
		if name, ok := strings.CutPrefix(key, "template."); ok {
			var parsed services.Notification
			check(yaml.UnmarshalStrict([]byte(value), &parsed))
			notifications[name] = parsed
		}
	}
	firing, err := triggers.NewService(conditions)
	check(err)
	formatting, err := templates.NewService(notifications)
	check(err)

	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var app map[string]any
		check(json.Unmarshal(lines.Bytes(), &app))
		facts := map[string]any{"app": app, "context": map[string]any{"argocdUrl": "https://argocd.example.com"}}
		fired := map[string]string{}
		for name := range conditions {
			results, err := firing.Run(name, facts)
			check(err)
			for _, result := range results {
				if result.Triggered {
					message, err := formatting.FormatNotification(facts, result.Templates...)
					check(err)
					fired[name] = message.Message
				}
			}
		}
		check(json.NewEncoder(os.Stdout).Encode(fired))
	}
	check(lines.Err())
}
