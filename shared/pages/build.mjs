// Builds the page for central and for the edge and lays the API viewers beside it.
// Writes only {central,edge}/static, which git ignores; needs no network once `npm ci` has run.
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const here = dirname(fileURLToPath(import.meta.url));
const project = join(here, '..', '..');
const PAGES = ['central', 'edge'];

// What of each API viewer is served. Source maps stay out: they double the size of the wheel.
const VIEWERS = {
  'swagger-ui': {
    package: 'swagger-ui-dist',
    files: ['swagger-ui-bundle.js', 'swagger-ui.css', 'favicon-32x32.png'],
  },
  redoc: { package: 'redoc', files: ['bundles/redoc.standalone.js'] },
};

// ReDoc fetches the logo of its maker from a public server; here nothing leaves the site.
const OUTSIDE_IMAGE = 'https://cdn.redoc.ly/redoc/logo-mini.svg';
const NO_IMAGE = 'data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==';

// Packages whose code or fonts end up in what is served; their licences go along.
const SHIPPED = [
  '@fontsource-variable/inter',
  '@preact/signals',
  '@preact/signals-core',
  'leaflet',
  'preact',
  'redoc',
  'swagger-ui-dist',
  'uplot',
];

async function copyViewers(target) {
  for (const [name, viewer] of Object.entries(VIEWERS)) {
    const folder = join(target, 'vendor', name);
    await mkdir(folder, { recursive: true });
    for (const file of viewer.files) {
      const source = join(here, 'node_modules', viewer.package, file);
      await copyWithoutOutside(source, join(folder, file.split('/').at(-1)));
    }
    await cp(join(here, 'viewers', name), folder, { recursive: true });
    await cp(join(here, 'src', 'marks', 'headframe.svg'), join(folder, 'icon.svg'));
  }
}

async function copyWithoutOutside(source, target) {
  if (!source.endsWith('.js')) return cp(source, target);
  const code = await readFile(source, 'utf8');
  await writeFile(target, code.replaceAll(OUTSIDE_IMAGE, NO_IMAGE));
}

async function licenceOf(name) {
  const folder = join(here, 'node_modules', name);
  const { version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? await readFile(join(folder, file), 'utf8') : `Licence: ${license}\n`;
  return `${name} ${version} (${license})\n\n${text.trim()}\n`;
}

const licences = await Promise.all(SHIPPED.map(licenceOf));
for (const page of PAGES) {
  const outDir = join(here, 'dist', page);
  await build({ root: here, mode: page, logLevel: 'warn', build: { outDir, emptyOutDir: true } });
  await copyViewers(outDir);
  await writeFile(join(outDir, 'vendor', 'LICENSES.txt'), licences.join(`\n${'-'.repeat(80)}\n\n`));
  const served = join(project, page, 'static');
  await rm(served, { recursive: true, force: true });
  await rename(outDir, served); // whole or not at all: a server never sees half a page
  console.log(`built ${page}/static`);
}
