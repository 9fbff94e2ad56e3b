/* SPDX-License-Identifier: Apache-2.0
 *
 * An empty program: law-link-<room> is this file, all of a room's archive, and the archives of
 * lower rank. That it links is the law; it need not run.
 */
int main(void)
{
    return 0;
}
