//! One page of each language, with characters of every width in names, strings and comments.

use crate::Language;

pub(super) fn snippet(language: Language) -> &'static str {
    match language {
        Language::C => C,
        Language::Go => GO,
        Language::JavaScript => JAVASCRIPT,
        Language::Python => PYTHON,
        Language::Rust => RUST,
        Language::Tsx => TSX,
        Language::TypeScript => TYPESCRIPT,
    }
}

const C: &str = r#"#include <stdio.h>
/* größe: 漢字 😀 */
struct point { int x; int y; };

static int add(int a, int b) {
    // sum, naïve
    return a + b;
}

int main(int argc, char **argv) {
    const char *greeting = "héllo 😀\n";
    for (int i = 0; i < argc; i++) {
        if (i % 2 == 0) {
            printf("%s %d", greeting, add(i, 'x'));
        } else {
            puts(argv[i]);
        }
    }
    return 0;
}
"#;

const GO: &str = r#"package main

import "fmt"

// Größe is a size, 漢字.
type Größe struct {
	name string
	wide map[string]int
}

func (g *Größe) Add(other int) (int, error) {
	if other < 0 {
		return 0, fmt.Errorf("negative 😀 %d", other)
	}
	for i, r := range `raw "é"` {
		g.wide[string(r)] += i
	}
	return other, nil
}

func main() {
	g := Größe{name: "𝒳"}
	switch n, err := g.Add(1); {
	case err != nil:
		panic(err)
	default:
		fmt.Println(n, 'é')
	}
}
"#;

const JAVASCRIPT: &str = r#"import { readFile } from "fs";

/** größe 漢字 */
export class Store {
  constructor(items = []) {
    this.items = items; // naïve 😀
  }

  async load(path) {
    const text = await readFile(path, { encoding: "utf-8" });
    return text.split(/[,\s]é/g).map((part) => `${part.trim()}: ${this.items.length} 😀`);
  }
}

function main(...args) {
  for (const [name, wert] of Object.entries({ größe: 1, 'x': "𝒳" })) {
    if (args.includes(name)) {
      console.log(name, wert);
    } else {
      throw new Error(`unknown ${name}`);
    }
  }
}
"#;

const PYTHON: &str = r#"import os
from typing import Iterable

# größe: 漢字 😀
class Store:
    """Keeps naïve items."""

    def __init__(self, items: Iterable[str] = ()):
        self.items = list(items)

    def add(self, name, *, wert=1):
        if name in self.items:
            raise ValueError(f"duplicate {name!r} 😀 {wert:>{len(name)}}")
        for index, item in enumerate(self.items):
            with open(os.path.join("größe", item)) as file:
                yield index, file.read()
        else:
            self.items.append(name)


def main():
    größe = {"a": 1, 'é': [x for x in range(10) if x % 2]}
    try:
        print(größe["𝒳"])
    except KeyError as error:
        print("missing", error)
    return größe
"#;

const RUST: &str = r##"//! Größe: 漢字 😀
use std::collections::HashMap;

/// Keeps naïve items.
#[derive(Debug, Default)]
pub struct Store<'a> {
    items: HashMap<&'a str, usize>,
}

impl<'a> Store<'a> {
    pub fn add(&mut self, name: &'a str) -> Result<usize, String> {
        if name.is_empty() {
            return Err(format!("empty 😀 {name:?}"));
        }
        /* block /* nested é */ comment */
        let größe = self.items.entry(name).or_insert(0);
        *größe += 1;
        Ok(*größe)
    }
}

fn main() {
    let mut store = Store::default();
    for (index, part) in ["é", r#"raw "𝒳""#].iter().enumerate() {
        match store.add(part) {
            Ok(n) if n > 1 => println!("{index} {}", 'ß'),
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
"##;

const TSX: &str = r#"import React, { useState } from "react";

interface Props {
  größe: number;
  onPick?: (name: string) => void;
}

// 漢字 😀
export const List = ({ größe, onPick }: Props): JSX.Element => {
  const [items, setItems] = useState<string[]>(["é", '𝒳']);
  if (größe === 0) {
    return <p>naïve {items.length} 😀</p>;
  }
  return (
    <ul className="liste">
      {items.map((item) => (
        <li key={item} onClick={() => onPick?.(item)}>{`${item}: ${größe}`}</li>
      ))}
    </ul>
  );
};
"#;

const TYPESCRIPT: &str = r#"import type { Reader } from "./reader";

/* größe 漢字 */
export enum Kind { First = "é", Second = "𝒳" }

export interface Item<T> {
  readonly name: string;
  wert?: T | undefined;
}

export abstract class Store<T extends object> {
  private items: Map<string, Item<T>> = new Map();

  constructor(private readonly reader: Reader) {}

  async add(name: string, wert: T): Promise<number> {
    if (this.items.has(name)) {
      throw new Error(`duplicate ${name} 😀`); // naïve
    }
    this.items.set(name, { name, wert });
    for (const [key, item] of this.items) {
      console.log(key satisfies string, item as Item<T>);
    }
    return this.items.size;
  }
}

type Names = `größe-${Kind}` | keyof Item<number>;
"#;
