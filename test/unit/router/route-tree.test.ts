import { describe, expect, it } from 'vitest'
import { RouteTree } from '../../../router/routing/route-tree.js'

function treeOf(...routes: string[]): RouteTree<string> {
  const tree = new RouteTree<string>()
  for (const route of routes) tree.add(route, route)
  return tree
}

describe('the routes of a domain', () => {
  it('match whole path segments only', () => {
    const tree = treeOf('my-service')
    for (const path of ['/my-service', '/my-service/', '/my-service/x/y', '/my-service//x']) {
      expect(tree.find(path)).toBe('my-service')
    }
    for (const path of ['/my-service2', '/my-servic', '/', '/x/my-service', '//my-service', '/my-service;a']) {
      expect(tree.find(path)).toBeUndefined()
    }
  })

  it('prefer the longest prefix and fall back to shorter ones', () => {
    const tree = treeOf('a', 'a/b', 'a/b/c/d', '*')
    expect(tree.find('/a/x')).toBe('a')
    expect(tree.find('/a/b')).toBe('a/b')
    expect(tree.find('/a/b/c')).toBe('a/b')
    expect(tree.find('/a/b/c/d/e')).toBe('a/b/c/d')
    expect(tree.find('/a/bc')).toBe('a')
    expect(tree.find('/b')).toBe('*')
  })

  it('give everything else to the catch-all, and OPTIONS * to it alone', () => {
    const tree = treeOf('*', 'a')
    expect(tree.find('/')).toBe('*')
    expect(tree.find('/x/y')).toBe('*')
    expect(tree.find('*')).toBe('*')
    expect(treeOf('a').find('*')).toBeUndefined()
  })

  it('are case-sensitive', () => {
    expect(treeOf('Shop').find('/shop')).toBeUndefined()
    expect(treeOf('Shop').find('/Shop')).toBe('Shop')
  })

  it('see escaped letters as what they stand for, and an escaped slash as no separator', () => {
    const tree = treeOf('my-service', 'a/b', '*')
    expect(tree.find('/my%2Dservic%65/x')).toBe('my-service')
    expect(tree.find('/a%2Fb')).toBe('*')
    expect(tree.find('/my-service%2Fx')).toBe('*')
    expect(tree.find('/my-service/@scope%2fpkg')).toBe('my-service')
  })

  it('find the route of a path whose escapes are not UTF-8', () => {
    const tree = treeOf('shop')
    expect(tree.find('/shop/%E9')).toBe('shop')
    expect(tree.find('/shop/%ff%fe')).toBe('shop')
    expect(tree.find('/shop/%25%zz')).toBe('shop')
    expect(tree.find('/shop/é')).toBe('shop')
  })

  it('find the route of a very long path', () => {
    expect(treeOf('shop').find(`/shop/${'x'.repeat(60_000)}`)).toBe('shop')
    expect(treeOf('shop').find(`/shop/${'%41'.repeat(20_000)}`)).toBe('shop')
  })

  it('may be called like members of Object.prototype', () => {
    const tree = treeOf('__proto__', 'constructor')
    expect(tree.find('/__proto__/x')).toBe('__proto__')
    expect(tree.find('/constructor')).toBe('constructor')
    expect(tree.find('/toString')).toBeUndefined()
  })
})
